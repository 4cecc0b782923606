/** The version of this server, the one that package.json has. Any thread. */
export const VERSION = '0.1.0';
