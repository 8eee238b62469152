/** Runs the `stratum` command. */
import { tellFailure } from './frame/failure.js';
import { wantsJson } from './frame/frame.js';
import { stratumProgram } from './program.js';

// Who reads has enough, as in `stratum tasks list | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const argv = process.argv.slice(2);
const program = stratumProgram(argv);
try {
  await program.parseAsync();
} catch (error) {
  const verbose = program.opts<{ verbose?: boolean }>().verbose === true;
  process.exitCode = tellFailure(error, { verbose, json: wantsJson(argv) });
}
