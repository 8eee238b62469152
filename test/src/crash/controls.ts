/** Changes that an operator makes while the broker goes down and comes back. Whatever was answered has to hold. */
import { setTimeout as delay } from 'node:timers/promises';
import { isFinal, type JobsClient, type Schedules } from '@stratum/jobs';
import type { Pool } from 'pg';
import { crashTask, gatedTask, GATED_QUEUE, limitedTask, revocableTask, tickTask } from './plan.js';

export const CONTROLS = ['pause', 'rate limit', 'revocation', 'schedule edit', 'schedule pause'] as const;
export type ControlName = (typeof CONTROLS)[number];

/** A span during which an entry had a version, or was paused: ticks in it are judged at the end. Milliseconds since 1970. */
export interface ScheduleSpan {
  entry: string;
  from: number;
  until: number;
  /** `undefined`: paused. */
  version: number | undefined;
}

export interface Operator {
  client: JobsClient;
  schedules: Schedules;
  database: Pool;
  /** Begins the names of its tasks. */
  seed: number;
  /** Takes the broker away for a moment while the work goes on. */
  duringRestart: <T>(work: () => Promise<T>) => Promise<T>;
}

const EDITED = 'edited';
const PAUSED = 'pausable';
/** A change is heard within a second; a process that was killed meanwhile reads it when it starts. */
const HEARD_MS = 1_500;
/** A schedule may have published ticks before it heard of a change, and the broker's clock is not this one. */
const LATE_MS = 3_000;
/** Thousands of tasks may wait before one of these on a busy machine. */
const PATIENCE_MS = 600_000;
/** A revocation is stored long before that, on a busy machine too. */
const FAR_MS = 120_000;
const PAYLOAD = { failures: 0, waitMs: 0 };
const LIMIT = { limit: 5, perMs: 1_000 };
const LIMITED = 9;

export class Controls {
  readonly violations: string[] = [];
  readonly spans: ScheduleSpan[] = [];
  private count = 0;
  private version = 0;

  constructor(private readonly operator: Operator) {}

  async begin(): Promise<void> {
    const { schedules } = this.operator;
    await insist(() =>
      schedules.add({
        name: EDITED,
        task: tickTask.name,
        every_ms: 1_000,
        payload: { version: 0 },
        overlap: 'allow',
        catch_up: 'all',
      }),
    );
  }

  async change(control: ControlName): Promise<void> {
    this.count++;
    switch (control) {
      case 'pause':
        return this.pauseQueue();
      case 'rate limit':
        return this.limit();
      case 'revocation':
        return this.revoke();
      case 'schedule edit':
        return this.edit();
      case 'schedule pause':
        return this.pauseEntry();
    }
  }

  private async pauseQueue(): Promise<void> {
    const { client, duringRestart } = this.operator;
    await duringRestart(() => insist(() => client.control.pause(GATED_QUEUE)));
    const gated = await this.enqueue(gatedTask, 3, 'gated');
    const others = await this.enqueue(crashTask, 5, 'beside');
    await this.ends(others);
    const started = await this.starts(gated);
    if (started.length > 0) this.violations.push(`the paused queue ran ${started.length} tasks`);
    await duringRestart(() => insist(() => client.control.resume(GATED_QUEUE)));
    await this.ends(gated);
  }

  private async limit(): Promise<void> {
    const { client, duringRestart, database } = this.operator;
    await duringRestart(() => insist(() => client.control.setRateLimit(limitedTask.name, LIMIT)));
    await delay(HEARD_MS);
    const { rows } = await insist(() => database.query<{ now: Date }>('SELECT clock_timestamp() AS now'));
    const from = rows[0]?.now.getTime() ?? 0;
    const ids = await this.enqueue(limitedTask, LIMITED, 'limited');
    await this.ends(ids);
    const starts = await this.starts(ids);
    const took = Math.max(...starts) - from;
    // The first one may start at once, and one that was frozen may start late.
    const least = ((LIMITED - 1) * LIMIT.perMs) / LIMIT.limit;
    if (took < least * 0.9) this.violations.push(`${LIMITED} limited tasks took ${took} ms, not ${least}`);
    await duringRestart(() => insist(() => client.control.setRateLimit(limitedTask.name, undefined)));
  }

  private async revoke(): Promise<void> {
    const { client, duringRestart } = this.operator;
    const [running = ''] = await this.enqueue(revocableTask, 1, 'running');
    await until(async () => (await client.status(running))?.state === 'STARTED');
    const [delayed = ''] = await this.enqueue(crashTask, 1, 'delayed', FAR_MS);
    await duringRestart(async () => {
      for (const id of [running, delayed]) {
        const answer = await insist(() => client.revoke(id));
        const isRepeated = answer === 'ended' && (await insist(() => client.status(id)))?.state === 'REVOKED';
        if (answer === 'unknown' || (answer === 'ended' && !isRepeated))
          this.violations.push(`the revocation of ${id} was answered "${answer}"`);
      }
    });
    await this.ends([running, delayed], 'REVOKED');
  }

  private async edit(): Promise<void> {
    const { schedules, duringRestart } = this.operator;
    const version = ++this.version;
    this.close(EDITED);
    await duringRestart(() => insist(() => schedules.edit(EDITED, { payload: { version } })));
    this.spans.push({ entry: EDITED, from: Date.now() + LATE_MS, until: Infinity, version });
  }

  private async pauseEntry(): Promise<void> {
    const { schedules, duringRestart } = this.operator;
    await duringRestart(() => insist(() => schedules.pause(PAUSED)));
    this.spans.push({ entry: PAUSED, from: Date.now() + LATE_MS, until: Infinity, version: undefined });
    await delay(LATE_MS + 2_000);
    this.close(PAUSED);
    await duringRestart(() => insist(() => schedules.resume(PAUSED)));
  }

  private close(entry: string): void {
    const last = this.spans.findLast((span) => span.entry === entry);
    if (last !== undefined) last.until = Math.min(last.until, Date.now());
  }

  private async enqueue(
    contract: typeof crashTask,
    count: number,
    kind: string,
    delayMs?: number,
  ): Promise<string[]> {
    const ids = Array.from(
      { length: count },
      (_, index) => `c${this.operator.seed}-${this.count}-${kind}-${index}`,
    );
    const options = delayMs === undefined ? {} : { delayMs };
    for (const id of ids)
      await insist(() => this.operator.client.enqueue(contract, { kind, ...PAYLOAD }, { id, ...options }));
    return ids;
  }

  private async ends(ids: readonly string[], state = 'SUCCESS'): Promise<void> {
    for (const id of ids) {
      const record = await until(async () => {
        const found = await this.operator.client.status(id);
        return found !== undefined && isFinal(found.state) && found;
      });
      if (record === undefined) this.violations.push(`${id} did not end`);
      else if (record.state !== state && record.error?.type !== 'WorkerLost')
        this.violations.push(`${id} is ${record.state}, not ${state}`);
    }
  }

  /** When they have started, in milliseconds since 1970 by the database's clock. */
  private async starts(ids: readonly string[]): Promise<number[]> {
    const { database } = this.operator;
    const { rows } = await insist(() =>
      database.query<{ at: Date }>('SELECT at FROM crash_start WHERE task_id = ANY($1)', [ids]),
    );
    return rows.map(({ at }) => at.getTime());
  }
}

/** An operator tries again while the broker or the database is away. */
async function insist<T>(work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(100);
    }
  }
}

/** `undefined` when it takes too long. */
async function until<T>(look: () => Promise<T | false>): Promise<T | undefined> {
  const deadline = performance.now() + PATIENCE_MS;
  while (performance.now() < deadline) {
    const found = await look().catch(() => false as const);
    if (found !== false) return found;
    await delay(100);
  }
  return undefined;
}
