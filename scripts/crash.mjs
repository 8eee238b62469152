/** `npm run test:crash`: install, build, and kill processes at random. */
import { join } from 'node:path';
import { prepare, ROOT, run } from './bootstrap.mjs';

await prepare();
process.exitCode = await run(process.execPath, [
  join(ROOT, 'test/dist/crash/main.js'),
  ...process.argv.slice(2),
]);
