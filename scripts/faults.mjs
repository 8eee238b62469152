/** `npm run test:faults`: install, build, and inject every fault that the dashboard's Overview has to name. */
import { prepare, runTests } from './bootstrap.mjs';

await prepare();
process.env['STRATUM_FAULTS'] = 'all';
process.exitCode = await runTests(['test/src/faults/faults.test.ts']);
