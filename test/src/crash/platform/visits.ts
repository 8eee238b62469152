/** Requests of a tenant's visitors, senders and programs to the API. */
import { randomFrom } from '../random.js';

export const VISIT_KINDS = ['event', 'order', 'task'] as const;

/** A task that a tenant's program may enqueue. */
export const VISITED_TASK = 'compute_cdp_rfm';

export interface Visit {
  /** Of the customer event and of the shop's webhook; of a task the idempotency key. */
  id: string;
  /** Of the order that a webhook tells of. */
  order: number;
  kind: (typeof VISIT_KINDS)[number];
}

const FIRST_ORDER = 5_000_000;

export function planVisits(seed: number, count: number): Visit[] {
  const random = randomFrom(seed ^ 0xa91);
  return Array.from({ length: count }, (_, n) => {
    const kind = VISIT_KINDS[Math.floor(random() * VISIT_KINDS.length)] ?? 'event';
    return { id: `v${seed}-${n}-${kind}`, order: FIRST_ORDER + n, kind };
  });
}
