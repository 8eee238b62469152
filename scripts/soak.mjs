/** `npm run test:soak`: install, build, and watch a mixed load for as long as it is asked for. */
import { join } from 'node:path';
import { prepare, ROOT, run } from './bootstrap.mjs';

await prepare();
process.exitCode = await run(process.execPath, [
  join(ROOT, 'test/dist/soak/main.js'),
  ...process.argv.slice(2),
]);
