/** The life of a part of the process that ends with its connection: on one that is closed for good, its loops would go on in vain. */
import type { NatsConnection } from '@nats-io/nats-core';
import type { Logger } from '../telemetry/logger.js';
import { eventsOf } from './connection-events.js';

export class Lifetime {
  private finish: () => void = () => undefined;
  /** Resolves when the part has stopped. */
  readonly ended = new Promise<void>((resolve) => (this.finish = resolve));
  private ending: Promise<void> | undefined;
  private leave: (() => void) | undefined;

  constructor(
    private readonly connection: NatsConnection,
    private readonly logger: Logger,
  ) {}

  /** From now on the part stops when the connection is closed, and says so once. Idempotent. */
  begin(stop: () => Promise<void>): void {
    if (this.leave !== undefined || this.ending !== undefined) return;
    const { closed } = eventsOf(this.connection);
    const end = (): void => {
      this.logger.warn({}, 'the connection to NATS is closed for good; stopping');
      stop().catch((error: unknown) => this.logger.error({ err: error }, 'stopping has failed'));
    };
    if (closed.aborted) queueMicrotask(end);
    else closed.addEventListener('abort', end, { once: true });
    this.leave = () => closed.removeEventListener('abort', end);
  }

  /** Shuts the part down, once. Idempotent. */
  end(shutDown: () => Promise<void>): Promise<void> {
    this.leave?.();
    this.ending ??= shutDown().finally(() => this.finish());
    return this.ending;
  }
}
