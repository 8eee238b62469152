/** Listens on a session of its own, and again on a new one when that is lost. */
import { BackgroundLoop } from '../housekeeping/background-loop.js';
import type { Logger } from '../telemetry/logger.js';
import type { OutboxDatabase } from './database.js';

const LISTEN_AGAIN_MS = 1_000;

export class Notifications {
  private readonly loop: BackgroundLoop;

  /** @param onNotice there may be new rows */
  constructor(
    private readonly database: OutboxDatabase,
    private readonly channel: string,
    private readonly onNotice: () => void,
    logger: Logger,
  ) {
    this.loop = new BackgroundLoop({
      run: (signal) => this.listen(signal),
      everyMs: LISTEN_AGAIN_MS,
      onFailure: (error) =>
        logger.warn({ err: error }, 'the outbox hears no notifications; it polls meanwhile'),
    });
  }

  start(): void {
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  /** Resolves when the loop stops, rejects when the session is lost. */
  private async listen(signal: AbortSignal): Promise<undefined> {
    const session = await this.database.connect();
    try {
      const ended = new Promise<undefined>((resolve, reject) => {
        session.on('error', reject);
        signal.addEventListener('abort', () => resolve(undefined), { once: true });
        if (signal.aborted) resolve(undefined);
      });
      session.on('notification', this.onNotice);
      await Promise.race([session.query(`listen ${this.channel}`), ended]);
      // What was committed before it listened.
      this.onNotice();
      return await ended;
    } finally {
      // Whoever gets this session next does not want its notifications.
      session.release(true);
    }
  }
}
