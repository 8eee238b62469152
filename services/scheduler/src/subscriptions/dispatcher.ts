/** Turns published events into deliveries, and recovers lost ones. Several may run. */
import type { WebhookDispatcherOptions } from './dispatcher-options.js';
import { EventReader } from './event-reader.js';
import { createOverdueSweep } from './overdue-sweep.js';

export interface WebhookDispatcher {
  /** Resolves once it reads. */
  start(): Promise<void>;
  /** Finishes the work in progress. Idempotent. */
  stop(): Promise<void>;
}

export function createWebhookDispatcher(options: WebhookDispatcherOptions): WebhookDispatcher {
  const reader = new EventReader(options);
  const sweep = createOverdueSweep(options);
  return {
    start: async () => {
      await reader.start();
      sweep.start();
    },
    stop: async () => {
      await Promise.all([reader.stop(), sweep.stop()]);
    },
  };
}
