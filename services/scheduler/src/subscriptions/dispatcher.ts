/** Turns published events into deliveries, and recovers lost ones. Several may run. */
import type { WebhookDispatcherOptions } from './dispatcher-options.js';
import { EventReader } from './event-reader.js';
import { Sweeper } from './sweeper.js';

export interface WebhookDispatcher {
  /** Resolves once it reads. */
  start(): Promise<void>;
  /** Finishes the work in progress. Idempotent. */
  stop(): Promise<void>;
}

export function createWebhookDispatcher(options: WebhookDispatcherOptions): WebhookDispatcher {
  const reader = new EventReader(options);
  const sweeper = new Sweeper(options);
  return {
    start: async () => {
      await reader.start();
      sweeper.start();
    },
    stop: async () => {
      await Promise.all([reader.stop(), sweeper.stop()]);
    },
  };
}
