/**
 * What OpenAPI says of errors. Data; main thread.
 */

/** Of every route that can fail: a problem document (RFC 9457). Its strings are not compiled into a serializer: they are sent as they are. */
export const PROBLEM_RESPONSES = {
  default: {
    description: 'A problem, with one line that says what is wrong.',
    content: {
      'application/problem+json': {
        schema: {
          type: 'object',
          properties: {
            type: { type: 'string' },
            title: { type: 'string' },
            status: { type: 'integer' },
            detail: { type: 'string' },
          },
        },
      },
    },
  },
} as const;
