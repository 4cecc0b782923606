/**
 * Questions to the server's routes under /v1, with what went wrong as a sentence for people.
 */

const ANSWER_MS_MAX = 10_000;
const UNAUTHORIZED = 401;
const NO_CONTENT = 204;

/** Why an answer is not there. `isRefused`: the password is missing or wrong. */
export class ApiTrouble extends Error {
  /**
   * @param {string} message
   * @param {number} status 0 where there was no answer at all
   */
  constructor(message, status) {
    super(message);
    this.status = status;
    this.isRefused = status === UNAUTHORIZED;
  }
}

/**
 * The JSON behind a path, relative to the page. Rejects with an ApiTrouble.
 * @param {string} path
 * @returns {Promise<any>}
 */
export function getJson(path) {
  return request(path, 'GET');
}

/**
 * A request that changes something; resolves to its answer, undefined where there is none. Rejects with an ApiTrouble.
 * @param {'POST' | 'DELETE'} method
 * @param {string} path
 */
export function send(method, path) {
  return request(path, method);
}

/**
 * @param {string} path
 * @param {string} method
 */
async function request(path, method) {
  const response = await fetch(path, {
    method,
    headers: { accept: 'application/json' },
    signal: AbortSignal.timeout(ANSWER_MS_MAX),
  }).catch(() => {
    throw new ApiTrouble('the server does not answer', 0);
  });
  if (!response.ok) throw new ApiTrouble(await troubleOf(response), response.status);
  if (response.status === NO_CONTENT) return undefined;
  return response.json().catch(() => {
    throw new ApiTrouble('the answer was cut off', 0);
  });
}

/**
 * The detail of a problem (RFC 9457), or the status where there is none.
 * @param {Response} response
 */
async function troubleOf(response) {
  const problem = await response.json().catch(() => ({}));
  return typeof problem.detail === 'string' ? problem.detail : `the server answered ${response.status}`;
}
