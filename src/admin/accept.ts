/**
 * Which of several forms of an answer a client wants, by its `Accept` header (RFC 9110, section 12.5.1). Pure; main thread.
 */

/** A form that there is. `versions`: those that a client may ask for by a parameter; without them it may ask for any. */
export type Offer = { readonly type: string; readonly versions?: readonly string[] };

/**
 * The offer of the highest quality, of equals the one that the client names first. The first of `offers` where the client
 * names nothing that there is: who is refused learns nothing at all.
 */
export function chooseOffer<Form extends Offer>(accept: string | undefined, offers: readonly Form[]): Form {
  let [chosen] = offers;
  let best = 0;
  for (const range of (accept ?? '').toLowerCase().split(',')) {
    const [type, ...parameters] = range.split(';').map((part) => part.trim());
    const quality = Number(parameterOf(parameters, 'q') ?? 1);
    const offer = offers.find((candidate) => isWanted(candidate, type, parameterOf(parameters, 'version')));
    if (offer === undefined || !(quality > best)) continue;
    chosen = offer;
    best = quality;
  }
  return chosen;
}

function isWanted({ type, versions }: Offer, wanted: string, version: string | undefined): boolean {
  if (wanted === '*/*' || wanted === `${type.split('/')[0]}/*`) return true;
  if (wanted !== type) return false;
  return version === undefined || versions === undefined || versions.includes(version);
}

function parameterOf(parameters: readonly string[], name: string): string | undefined {
  return parameters.find((parameter) => parameter.startsWith(`${name}=`))?.slice(name.length + 1);
}
