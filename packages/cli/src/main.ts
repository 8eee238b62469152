/** Runs the `stratum` command. */
import { reportFailure } from './frame/failure.js';
import { takeConfig } from './frame/config-option.js';
import { wantsJson } from './frame/frame.js';
import { stratumProgram } from './program.js';
import { guardConsole } from './terminal.js';

guardConsole();

// The reader has enough, as in `stratum tasks list | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const { argv, config } = takeConfig(process.argv.slice(2));
if (config !== undefined) process.env['STRATUM_CONFIG'] = config;
try {
  const program = await stratumProgram(argv);
  await program.parseAsync(argv, { from: 'user' });
} catch (error) {
  process.exitCode = reportFailure(error, {
    verbose: argv.includes('--verbose'),
    json: wantsJson(argv),
  });
}
