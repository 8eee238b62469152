/**
 * `npm run test:cluster`: install, build, and run the framework's suites against three NATS servers, each stream with three copies. Arguments go to
 * vitest instead of the list of suites.
 */
import { prepare, runTests } from './bootstrap.mjs';

const NAMES =
  'cluster dead-letters records revoke tasks timing unreachable user-callbacks workers workflows workflows-killed workflows-random';
const SUITES = NAMES.split(' ').map((name) => `test/src/jobs/${name}.test.ts`);

await prepare();
process.env['STRATUM_TEST_CLUSTER'] = '1';
const given = process.argv.slice(2);
process.exitCode = await runTests(given.length > 0 ? given : [...SUITES, 'test/src/crash/crash.test.ts']);
