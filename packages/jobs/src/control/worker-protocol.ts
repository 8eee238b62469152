/** Requests to workers over NATS, and their responses. */
import type { Priority } from '../wire/names.js';
import type { TaskProgress } from '../wire/record.js';

/** Addresses every worker in a subject. */
export const ALL_WORKERS = '_all';

export const INSPECT_VERBS = ['ping', 'stats', 'active', 'reserved', 'scheduled', 'registered'] as const;
export type InspectVerb = (typeof INSPECT_VERBS)[number];

export interface HeldTask {
  id: string;
  task: string;
  queue: string;
  tenant: string | null;
  priority: Priority;
  retries: number;
  /** Cut, with sensitive fields masked; absent from workers of older versions, and where it is not JSON. */
  payload?: unknown;
  /** RFC 3339; `null` when it may start at once. */
  not_before: string | null;
}

export interface ActiveTask extends Omit<HeldTask, 'not_before'> {
  started_at: string;
  runtime_ms: number;
  progress: TaskProgress | null;
}
