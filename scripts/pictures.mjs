/** `npm run pictures`: install, build, and take the pictures of the dashboard for the documentation, on a scene of their own. */
import { join } from 'node:path';
import { prepare, ROOT, run } from './bootstrap.mjs';

await prepare();
process.env['STRATUM_PICTURES'] = '1';
process.exitCode = await run(join(ROOT, 'node_modules/.bin/vitest'), [
  'run',
  '--root',
  ROOT,
  'test/src/pictures',
]);
