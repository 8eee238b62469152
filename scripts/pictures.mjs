/** `npm run pictures`: install, build, and take the pictures of the dashboard for the documentation, on a scene of their own. */
import { prepare, runTests } from './bootstrap.mjs';

await prepare();
process.env['STRATUM_PICTURES'] = '1';
process.exitCode = await runTests(['test/src/pictures']);
