/** `npm run test:cron`: install, build, and compare the ticks of cron expressions with an independent library. */
import { join } from 'node:path';
import { prepare, ROOT, run } from './bootstrap.mjs';

await prepare();
process.exitCode = await run(process.execPath, [
  join(ROOT, 'test/dist/cron/main.js'),
  ...process.argv.slice(2),
]);
