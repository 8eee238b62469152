/** What a history has to hold, by the plain rules, from all events of it at once; and random histories to try them on. */
import type { EventState, TaskEvent } from '@stratum/jobs';
import fc from 'fast-check';

export interface ReferenceRun {
  id: string;
  enqueued_at: string;
  tenant_id: string;
  state: EventState;
  retries: number;
  finished_at: string | null;
  /** Start and last known state of each. */
  attempts: [started: string, state: string][];
}

const ENDS = new Set(['SUCCESS', 'FAILURE', 'REVOKED', 'EXPIRED']);
const STAGE = (state: string): number => (ENDS.has(state) ? 2 : Number(state !== 'STARTED'));

function grouped<Each>(all: readonly Each[], keyOf: (each: Each) => string): Map<string, Each[]> {
  const groups = new Map<string, Each[]>();
  for (const each of all) groups.set(keyOf(each), [...(groups.get(keyOf(each)) ?? []), each]);
  return groups;
}

/** Events of the same run have the same id and time of enqueueing. Skipped messages change nothing. */
export function referenceRuns(events: readonly TaskEvent[]): ReferenceRun[] {
  const runs = grouped(
    events.filter(({ state }) => state !== 'SKIPPED'),
    ({ id, enqueued_at: at, tenant }) => `${tenant} ${id} ${at}`,
  );
  return [...runs.values()]
    .map((own) => {
      const inTime = own.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
      const end = inTime.find(({ state }) => ENDS.has(state));
      const newest = inTime.toSorted((a, b) => a.retries - b.retries).at(-1);
      const shown = end ?? newest;
      const started = own.filter(({ started_at: at }) => at !== null);
      const attempts = [...grouped(started, ({ started_at: at }) => at ?? '')].map(
        ([at, each]): [string, string] => [
          at,
          each.toSorted((a, b) => STAGE(a.state) - STAGE(b.state)).at(-1)?.state ?? '',
        ],
      );
      if (shown === undefined) throw new Error('a run has an event');
      return {
        id: shown.id,
        enqueued_at: shown.enqueued_at ?? '',
        tenant_id: shown.tenant ?? '0',
        state: shown.state,
        retries: shown.retries,
        finished_at: end?.at ?? null,
        attempts: attempts.toSorted(([a], [b]) => a.localeCompare(b)),
      };
    })
    .toSorted((a, b) => `${a.id} ${a.enqueued_at}`.localeCompare(`${b.id} ${b.enqueued_at}`));
}

const BASE = Date.parse('2026-11-20T10:00:00.000Z');
const time = (ms: number): string => new Date(BASE + ms).toISOString();

/** The life of a run, in milliseconds: how long each attempt waited and ran, whether its start was reported, and how the last ended. */
const life = fc.record({
  id: fc.integer({ min: 0, max: 30 }),
  enqueued: fc.integer({ min: 0, max: 50 }).map((each) => each * 7_000),
  tenant: fc.constantFrom('1', '2', null),
  attempts: fc.array(
    fc.record({
      waited: fc.integer({ min: 1, max: 90_000 }),
      ran: fc.integer({ min: 1, max: 90_000 }),
      reported: fc.boolean(),
      isLost: fc.boolean(),
    }),
    { minLength: 0, maxLength: 4 },
  ),
  end: fc.constantFrom<EventState | undefined>('SUCCESS', 'FAILURE', 'REVOKED', 'EXPIRED', undefined),
  delayed: fc.boolean(),
  hasSteps: fc.boolean(),
  worker: fc.constantFrom('w1', 'w2'),
});

type Life = typeof life extends fc.Arbitrary<infer Value> ? Value : never;

/** One step for each attempt, each of which has ended. */
function stepsUntil(attempt: number, at: string): TaskEvent['steps'] {
  const step = { name: 'effect', state: 'done' as const, attempts: 1, started_at: at, ended_at: at };
  const newest = Array.from({ length: attempt + 1 }, (_, place) => ({ position: String(place), ...step }));
  return { total: newest.length, newest };
}

function eventsOf(run: Life): TaskEvent[] {
  const events: TaskEvent[] = [];
  const enqueued = run.enqueued;
  const emit = (state: EventState, at: number, more: Partial<TaskEvent> = {}): void => {
    events.push({
      id: `run-${run.id}`,
      task: `task_${run.id % 3}`,
      queue: 'default',
      tenant: run.tenant,
      priority: 'normal',
      state,
      retries: 0,
      worker: null,
      error: null,
      progress: null,
      enqueued_at: time(enqueued),
      started_at: null,
      finished_at: null,
      runtime_ms: null,
      parent_id: null,
      root_id: `run-${run.id}`,
      at: time(at),
      labels: { campaign: String(run.id) },
      ...more,
    });
  };
  let now = enqueued;
  if (run.delayed) emit('SCHEDULED', now);
  let retries = 0;
  run.attempts.forEach((attempt, index) => {
    const ready = now;
    now += attempt.waited;
    const started = { started_at: time(now), worker: run.worker, ready_at: time(ready), delivery: 1 };
    if (attempt.reported || attempt.isLost) emit('STARTED', now, { ...started, retries });
    now += attempt.ran;
    if (attempt.isLost) return;
    const isLast = index === run.attempts.length - 1;
    const state = isLast ? run.end : 'RETRY';
    if (state === undefined) return;
    const failed = { type: 'Error', message: `failed after ${now} ms`, stack: null, retryable: true };
    emit(state, now, {
      ...(run.hasSteps ? { steps: stepsUntil(index, time(now)) } : {}),
      ...started,
      retries,
      runtime_ms: attempt.ran,
      ...(state === 'RETRY' || state === 'FAILURE' ? { error: failed } : {}),
      ...(state === 'RETRY' ? {} : { finished_at: time(now) }),
    });
    if (state === 'SUCCESS') emit('SKIPPED', now + 5, { ...started, retries, finished_at: time(now) });
    retries += 1;
  });
  if (run.attempts.length === 0 && (run.end === 'REVOKED' || run.end === 'EXPIRED'))
    emit(run.end, now + 1, { finished_at: time(now + 1) });
  return events;
}

/** Runs with different identities, and all their events in the order in which they happened. */
export const histories = fc
  .uniqueArray(life, { minLength: 1, maxLength: 25, selector: ({ id, enqueued }) => `${id} ${enqueued}` })
  .map((lives) => lives.flatMap(eventsOf).toSorted((a, b) => a.at.localeCompare(b.at)));
