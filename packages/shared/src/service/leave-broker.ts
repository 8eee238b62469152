/** The end of a service's connection to NATS. */
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { answersInTime } from './monitoring-server.js';

/**
 * Sends what is left and closes the connection. While the broker is away that takes two seconds: a supervisor that waits for the end kills the
 * process after some time, and what nobody takes cannot be waited for.
 */
export async function leaveBroker(connection: NatsConnection, logger: Logger): Promise<void> {
  if (await answersInTime(connection.drain())) return;
  logger.warn('NATS is away: the connection was closed without a farewell');
  await connection.close();
}
