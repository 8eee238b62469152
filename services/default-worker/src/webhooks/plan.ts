/** The effects of an event: planned first, without any change, and carried out afterwards. */
import type { TaskContract } from '@stratum/jobs';
import type { KeyRing } from '@stratum/shared';
import type { SourceName } from '@stratum/shared/webhooks';
import type { PoolClient } from 'pg';

/** An event as the planners see it. */
export interface IncomingEvent {
  tenantId: number;
  endpointId: string;
  source: SourceName;
  /** Of the endpoint. */
  settings: Readonly<Record<string, unknown>>;
  /** Key of its effects. */
  identity: string;
  type: string;
  body: string;
  receivedAt: Date;
  keys: KeyRing;
}

export interface PlannedTask {
  contract: TaskContract;
  payload: unknown;
  /** For several events that lead to one task: their common key, and the task's time. Default: a task of its own, at once. */
  shared?: { key: string; at: Date };
}

export interface Plan {
  /** In words. `undefined`: nothing follows. */
  effect: string | undefined;
  tasks: PlannedTask[];
  /** A change in the database, as the tenant; returns a description of it. Must be harmless when repeated. */
  change?: (client: PoolClient) => Promise<string>;
}

export const NOTHING: Plan = Object.freeze({ effect: undefined, tasks: [] });
