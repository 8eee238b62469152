/** `npm run bench`: install, build, measure. */
import { join } from 'node:path';
import { prepare, ROOT, run } from './bootstrap.mjs';

await prepare();
process.exitCode = await run(process.execPath, [
  join(ROOT, 'test/dist/bench/main.js'),
  ...process.argv.slice(2),
]);
