/** A real nats-server for development and tests: found or fetched, started, stopped. Not meant for production. */
export { findNatsServer, type FindNatsServerOptions, type NatsServerBinary } from './find-nats-server.js';
export {
  startNatsServer,
  endStaleNatsServer,
  type NatsServer,
  type NatsServerOptions,
} from './nats-server.js';
export { commandLineOf, endStaleProcess } from './stale-process.js';
