/** The program that the tests start for a server. */
import { fileURLToPath } from 'node:url';

/** The variable of the environment that has the path of the bundled server, where test/support/bundled-server.ts has made it. */
export const BUNDLED_MAIN = 'TEST_SERVER_MAIN';

/** What a person starts in a checkout: the sources as they are. */
export const CHECKOUT_MAIN = fileURLToPath(new URL('../../bin/distcache.mjs', import.meta.url));

/** Outside the test runner there is no bundle: the sources. */
export const SERVER_MAIN = process.env[BUNDLED_MAIN] ?? CHECKOUT_MAIN;
