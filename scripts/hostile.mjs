/** `npm run test:hostile [-- requests of each kind]`: install, build, and send hostile requests beside honest ones. */
import { prepare, runTests } from './bootstrap.mjs';

await prepare();
process.env['HOSTILE_REQUESTS'] = process.argv[2] ?? '5000';
process.exitCode = await runTests(['test/src/api/hostile-load.test.ts']);
