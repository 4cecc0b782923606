/** The version of this server, the one that package.json has. Any thread. */
export const VERSION = '0.1.0';

/** The redis-server whose behaviour this server has, which clients decide by. */
export const REDIS_VERSION = '7.0.15';
