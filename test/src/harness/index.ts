export {
  copyOfDatabase,
  emptyDatabase,
  testDatabase,
  testKeyText,
  testNamespace,
  type TestDatabase,
} from './fixtures.js';
export { dataFolder } from './data-folder.js';
export { freePort } from './free-port.js';
export { programEnvironment, spawnProgram, startProgram, type SpawnedProgram } from './spawned-program.js';
export { tcpProxy, type TcpProxy } from './tcp-proxy.js';
export { waitFor } from './wait-for.js';
