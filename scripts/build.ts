/**
 * `npm run build`: bundles the server into dist (scripts/bundle.ts), for the published package, the image, and starts of this checkout;
 * with `--cached` where a start of the checkout keeps its own.
 */
import { fileURLToPath } from 'node:url';
import { makeBundle, makeCachedBundle } from './bundle.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

if (process.argv.includes('--cached')) await makeCachedBundle(ROOT);
else await makeBundle(ROOT, `${ROOT}dist`);
