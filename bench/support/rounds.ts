/** Servers that take turns: each measured once in every round, so that what the machine does by the hour strikes all of them. */
import { tellProgress } from './options.ts';
import { missingPeers } from './peers.ts';

/** What each peer measured, by peer and round. Every second round goes the other way round. */
export async function inRounds<Contender extends { readonly name: string }, Result>(
  peers: readonly Contender[],
  rounds: number,
  about: string,
  measure: (peer: Contender) => Promise<Result>,
): Promise<Result[][]> {
  const results: Result[][] = peers.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? [...peers.entries()] : [...peers.entries()].toReversed();
    for (const [index, peer] of order) {
      tellProgress(`round ${round + 1} of ${rounds}: ${peer.name}: ${about}`);
      results[index].push(await measure(peer));
    }
  }
  return results;
}

/** A line on what would be measured and is not installed, empty where all is. */
export function missingText(): string {
  const missing = missingPeers();
  return missing.length === 0 ? '' : `Not installed, so not measured: ${missing.join(', ')}.\n\n`;
}
