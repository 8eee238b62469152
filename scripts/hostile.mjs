/** `npm run test:hostile [-- requests of each kind]`: install, build, and send hostile requests beside honest ones. */
import { join } from 'node:path';
import { prepare, ROOT, run } from './bootstrap.mjs';

await prepare();
process.env['HOSTILE_REQUESTS'] = process.argv[2] ?? '5000';
process.exitCode = await run(join(ROOT, 'node_modules/.bin/vitest'), [
  'run',
  '--root',
  ROOT,
  'test/src/api/hostile-load.test.ts',
]);
