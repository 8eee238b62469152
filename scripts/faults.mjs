/** `npm run test:faults`: install, build, and inject every fault that the dashboard's Overview has to name. */
import { join } from 'node:path';
import { prepare, ROOT, run } from './bootstrap.mjs';

await prepare();
process.env['STRATUM_FAULTS'] = 'all';
process.exitCode = await run(join(ROOT, 'node_modules/.bin/vitest'), [
  'run',
  '--root',
  ROOT,
  'test/src/faults/faults.test.ts',
]);
