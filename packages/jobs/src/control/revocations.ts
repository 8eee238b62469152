/** The revocations in force. Expires entries by itself, because the server removes an expired entry without notice. */
import type { JsMsg } from '@nats-io/jetstream';
import { readJson } from '../values/read-json.js';
import { ServerHeader } from '../wire/headers.js';
import { NO_TENANT } from '../wire/names.js';
import {
  filterRevocationEntry,
  taskRevocationEntry,
  workflowRevocationEntry,
  type TaskFilter,
} from './entries.js';

export interface RevocableTask {
  id: string;
  queue: string;
  task: string;
  tenant: string | undefined;
  /** RFC 3339. */
  enqueuedAt: string;
  workflow: string | undefined;
}

interface Revocation {
  matches: (task: RevocableTask) => boolean;
  terminate: boolean;
  /** Milliseconds since 1970. */
  expiresAt: number;
}

/** Tolerance between the clocks of producers and broker. */
const CLOCK_SKEW_MS = 1_000;
const SWEEP_EVERY_MS = 60_000;
const TTL = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?$/;

export class Revocations {
  private readonly byId = new Map<string, Revocation>();
  private readonly byWorkflow = new Map<string, Revocation>();
  private readonly byFilter = new Map<string, Revocation>();
  private sweptAt = 0;

  constructor(private readonly now: () => number = Date.now) {}

  get size(): number {
    return this.byId.size + this.byWorkflow.size + this.byFilter.size;
  }

  /** `undefined` when it is not revoked. */
  of(task: RevocableTask): { terminate: boolean } | undefined {
    if (this.size === 0) return undefined;
    this.sweep();
    const own = this.byId.get(task.id);
    if (own !== undefined && this.counts(own, task)) return own;
    const whole = task.workflow === undefined ? undefined : this.byWorkflow.get(task.workflow);
    if (whole !== undefined && this.counts(whole, task)) return whole;
    for (const revocation of this.byFilter.values()) if (this.counts(revocation, task)) return revocation;
    return undefined;
  }

  /**
   * @param key of the control bucket
   * @param message `undefined`, or without a body, if the entry was removed
   */
  apply(key: string, message: Pick<JsMsg, 'data' | 'headers' | 'time' | 'json'> | undefined): void {
    this.sweep();
    const [, scope = ''] = key.split('.');
    const line = scope === 'id' ? this.byId : scope === 'workflow' ? this.byWorkflow : this.byFilter;
    const name = line === this.byFilter ? key : key.slice(`revoke.${scope}.`.length);
    const entry = message === undefined || message.data.length === 0 ? undefined : read(scope, message);
    const expiresAt = (message?.time.getTime() ?? 0) + ttlMs(message?.headers?.get(ServerHeader.Ttl));
    if (entry === undefined || expiresAt <= this.now()) line.delete(name);
    else line.set(name, { ...entry, expiresAt });
  }

  private counts(revocation: Revocation, task: RevocableTask): boolean {
    return revocation.expiresAt > this.now() && revocation.matches(task);
  }

  private sweep(): void {
    const now = this.now();
    if (now - this.sweptAt < SWEEP_EVERY_MS) return;
    this.sweptAt = now;
    for (const line of [this.byId, this.byWorkflow, this.byFilter])
      for (const [name, { expiresAt }] of line) if (expiresAt <= now) line.delete(name);
  }
}

function read(
  scope: string,
  message: Pick<JsMsg, 'time' | 'data' | 'json'>,
): Omit<Revocation, 'expiresAt'> | undefined {
  const before = message.time.getTime() + CLOCK_SKEW_MS;
  const enqueuedBefore = (task: RevocableTask): boolean => Date.parse(task.enqueuedAt) <= before;
  if (scope === 'id') {
    const entry = taskRevocationEntry.read(readJson(message));
    if (entry === undefined) return undefined;
    const { terminate, queue, task: name, tenant } = entry;
    const matches = (task: RevocableTask): boolean =>
      matchesFilter({ queue, task: name, tenant }, { ...task, tenant: task.tenant ?? NO_TENANT }) &&
      enqueuedBefore(task);
    return { terminate, matches };
  }
  if (scope === 'workflow') {
    const entry = workflowRevocationEntry.read(readJson(message));
    // Regardless of when its tasks were enqueued: a cancelled workflow never continues.
    return entry && { terminate: entry.terminate, matches: () => true };
  }
  const entry = filterRevocationEntry.read(readJson(message));
  if (entry === undefined) return undefined;
  const { terminate, ...filter } = entry;
  // Nobody revokes everything at once.
  if (Object.keys(filter).length === 0) return undefined;
  return { terminate, matches: (task) => matchesFilter(filter, task) && enqueuedBefore(task) };
}

/** Milliseconds of a time to live as the server reads it: seconds, or a duration such as `24h`. Without one it never expires. */
function ttlMs(text = ''): number {
  const [whole, hours = '0', minutes = '0', seconds = '0'] = TTL.exec(text) ?? [];
  if (whole === undefined || whole === '') return Infinity;
  return ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000;
}

export function matchesFilter(
  filter: TaskFilter,
  task: { queue: string; task: string; tenant: string | undefined },
): boolean {
  return (
    (filter.queue === undefined || filter.queue === task.queue) &&
    (filter.task === undefined || filter.task === task.task) &&
    (filter.tenant === undefined || filter.tenant === task.tenant)
  );
}
