/** The part of autocannon (it has no types of its own) that bench/http.ts uses. */
declare module 'autocannon' {
  type Options = { readonly url: string; readonly connections: number; readonly duration: number };

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
