export { emptyDatabase, testDatabase, testKeyText, testNamespace, type TestDatabase } from './fixtures.js';
export { spawnProgram } from './spawned-program.js';
export { waitFor } from './wait-for.js';
