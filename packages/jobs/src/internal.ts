/** For the other packages of this repository. Anything here may change in any release. */
export { AckMultiplexer, type AckMultiplexerOptions } from './broker/ack-multiplexer.js';
export { Fetcher, type FetcherOptions } from './broker/pull/fetcher.js';
export type { Lane } from './broker/pull/lanes.js';
export { scopedName } from './wire/names.js';
export { BackgroundLoop, type BackgroundLoopOptions } from './housekeeping/background-loop.js';
