/** Limits of every HTTP server of the platform, for those who send slowly or too much before anybody knows them. */
export const SERVER_LIMITS = {
  /** Bytes of a request's line and headers. */
  maxHeaderSize: 16_384,
  /** Time in which they have to arrive, in milliseconds. */
  headersTimeout: 10_000,
  /** Time in which a request has to arrive, in milliseconds. */
  requestTimeout: 30_000,
  /** How often the server looks for requests that are too slow, in milliseconds. */
  connectionsCheckingInterval: 1_000,
  /** How long a connection without a request stays open, in milliseconds. */
  keepAliveTimeout: 65_000,
} as const;
