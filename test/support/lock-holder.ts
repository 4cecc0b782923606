/**
 * A process for the tests of the directory lock: takes the folder that it is told, says `held` or why not, and stays until
 * its input ends (then it gives the folder back) or it is killed.
 */
import { acquireDirectoryLock, releaseDirectoryLock } from '../../src/durability/directory-lock.ts';
import { createDiskStorage } from '../../src/durability/storage.ts';

const storage = createDiskStorage();
process.stdout.write('ready\n');
process.stdin.once('data', () => {
  try {
    const lock = acquireDirectoryLock(storage, process.argv[2]);
    process.stdin.once('end', () => releaseDirectoryLock(storage, lock));
    process.stdout.write('held\n');
  } catch (error) {
    process.stdout.write(`${(error as Error).message}\n`);
  }
});
