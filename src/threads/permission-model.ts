/**
 * Node's permission model (`node --permission`), and whether the server can do its work under it.
 *
 * Main thread, at the start: what is missing is told there, by the flag that grants it, and not at the first failure.
 */
import { resolve } from 'node:path';
import { StartError } from '../base/errors.ts';
import type { Config } from '../config/config.ts';

/** `has` of `process.permission`, which is undefined without the model. */
export type Permissions = { readonly has: (scope: string, reference?: string) => boolean };

/** As systemd's sysexits: the configuration asks for what cannot be. */
const EXIT_CONFIG = 78;

const PROCESS_FOLDER = '/proc/';

/** The model of this process, undefined where it is off. */
function currentPermissions(): Permissions | undefined {
  return (process as { permission?: Permissions }).permission;
}

/** Throws a StartError where the model is on and the server could not serve, or not keep what it promises to keep. */
export function requirePermissions(
  { appendonly, save }: Pick<Config, 'appendonly' | 'save'>,
  permissions: Permissions | undefined = currentPermissions(),
  platform: string = process.platform,
): void {
  if (permissions === undefined) return;
  if (appendonly || save.length > 0) {
    throw new StartError(
      "under node's permission model (--permission) nothing can be synced to the disk, so nothing can be kept: start with " +
        "--appendonly no --save '', or without --permission (docs/security.md has other sandboxes)",
      EXIT_CONFIG,
    );
  }
  const folder = resolve('.');
  const missing = [
    ...(permissions.has('worker') ? [] : ['--allow-worker']),
    ...(permissions.has('net') ? [] : ['--allow-net']),
    ...(permissions.has('fs.read', folder) ? [] : [`--allow-fs-read=${folder}`]),
    ...(permissions.has('fs.write', folder) ? [] : [`--allow-fs-write=${folder}`]),
    ...(platform !== 'linux' || permissions.has('fs.read', PROCESS_FOLDER)
      ? []
      : [`--allow-fs-read=${PROCESS_FOLDER}`]),
  ];
  if (missing.length === 0) return;
  throw new StartError(`node's permission model (--permission) lacks ${missing.join(' ')}`, EXIT_CONFIG);
}
