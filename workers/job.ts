/**
 * The entry of a thread of the job pool: every job is one export, called by its name (src/threads/jobs.ts).
 */
import {
  findSubsequence,
  type Subsequence,
  type SubsequenceRequest,
} from '../src/commands/strings-subsequence.ts';

export function subsequence(request: SubsequenceRequest): Subsequence {
  return findSubsequence(request);
}
