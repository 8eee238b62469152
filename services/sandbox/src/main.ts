/** The sandbox as a service. Stops on SIGTERM and SIGINT, and when the program that started it is gone. */
import { pino } from 'pino';
import { z } from 'zod';
import { startSandbox } from './server.js';

const settings = z
  .object({
    SANDBOX_HOST: z.string().default('127.0.0.1'),
    SANDBOX_PORT: z.coerce.number().int().min(0).max(65_535).default(8100),
    SANDBOX_SEED: z.coerce.number().int().default(1),
    SANDBOX_CAMPAIGNS: z.coerce.number().int().positive().default(12),
  })
  .parse(process.env);

const logger = pino({ name: 'sandbox' });

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
