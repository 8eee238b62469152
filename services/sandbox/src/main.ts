/** The sandbox as a service. Stops on SIGTERM and SIGINT, and when the program that started it is gone. */
import { pino } from 'pino';
import { startSandbox } from './server.js';
import { readSandboxSettings } from './settings.js';

/** EX_CONFIG of sysexits. */
const INVALID_CONFIGURATION = 78;

const logger = pino({ name: 'sandbox' });
const read = readSandboxSettings(process.env);
if ('problems' in read) {
  logger.fatal({ problems: read.problems }, `The configuration is not valid: ${read.problems.join('; ')}`);
  process.exit(INVALID_CONFIGURATION);
}
const { settings } = read;
if (process.argv.includes('--check-config')) {
  for (const [name, value] of Object.entries(settings)) process.stdout.write(`${name}=${value}\n`);
  process.exit(0);
}

try {
  const sandbox = await startSandbox({
    host: settings.SANDBOX_HOST,
    port: settings.SANDBOX_PORT,
    seed: settings.SANDBOX_SEED,
    campaignsPerAccount: settings.SANDBOX_CAMPAIGNS,
  });
  const stop = (): void => {
    void sandbox.stop().then(() => process.exit(0));
  };
  process.once('SIGTERM', stop).once('SIGINT', stop).once('disconnect', stop);
  logger.info({ url: sandbox.url }, 'sandbox listens');
  process.send?.({ type: 'ready', url: sandbox.url });
} catch (error) {
  const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
  logger.fatal(
    taken
      ? `Port ${settings.SANDBOX_PORT} is in use. Stop what listens there, or set SANDBOX_PORT to another port.`
      : error,
  );
  process.exitCode = 1;
}
