export {
  emptyDatabase,
  testDatabase,
  testKeys,
  testKeyText,
  testNamespace,
  type TestDatabase,
} from './fixtures.js';
export { spawnProgram } from './spawned-program.js';
export { waitFor } from './wait-for.js';
