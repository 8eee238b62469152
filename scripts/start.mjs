/** `npm start`: install, build, and bring up the whole platform on this machine. */
import { join } from 'node:path';
import { prepare, ROOT, run } from './bootstrap.mjs';

await prepare();
process.exitCode = await run(process.execPath, [
  join(ROOT, 'packages/cli/bin/stratum.js'),
  'up',
  ...process.argv.slice(2),
]);
