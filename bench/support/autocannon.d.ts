/** The part of autocannon (it has no types of its own) that bench/support/http-load.ts uses. */
declare module 'autocannon' {
  type Options = {
    readonly url: string;
    readonly connections: number;
    readonly duration: number;
    /** What each connection sends, in turn. */
    readonly requests: readonly {
      readonly method: string;
      readonly path: string;
      readonly body: string | undefined;
      readonly headers: Readonly<Record<string, string>>;
    }[];
  };

  type Outcome = {
    /** Connections that failed, timeouts included. */
    readonly errors: number;
    readonly non2xx: number;
    /** Seconds. */
    readonly duration: number;
  };

  type Run = Promise<Outcome> & {
    on(
      event: 'response',
      listener: (client: unknown, status: number, responseBytes: number, latencyMs: number) => void,
    ): void;
  };

  function autocannon(options: Options): Run;
  export = autocannon;
}
