/** Processes of this machine, by id. This entry point loads nothing else of the package. */
export { commandLineOf, endStaleProcess } from './embedded/stale-process.js';
