/** Searches find exactly what they mean, for whoever asks. */
import { applyEvents, Names, parseQuery, searchEndedRuns, type SearchOptions } from '@stratum/dashboard';
import type { TaskEvent } from '@stratum/jobs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { testDatabase } from '../harness/index.js';
import { histories, referenceRuns, type ReferenceRun } from './history-reference.js';

/** An end of a window, 10:05, lies among the runs. */
const FROM = new Date('2026-11-20T08:00:00Z');
const TO = new Date('2026-11-20T13:05:00Z');

/** Parts of a search, each with the plain meaning that it has. */
const PARTS: readonly (readonly [part: string, means: (run: ReferenceRun) => boolean])[] = [
  ['state:failure', ({ state }) => state === 'FAILURE'],
  ['state:success,revoked', ({ state }) => state === 'SUCCESS' || state === 'REVOKED'],
  ['task:task_1', ({ id }) => taskOf(id) === 'task_1'],
  ['task:task_*', () => true],
  ['task:tas', () => false],
  ['task_2', ({ id }) => taskOf(id) === 'task_2'],
  ['queue:default', () => true],
  ['queue:sync', () => false],
  ['tenant:1,2', ({ tenant_id: tenant }) => tenant === '1' || tenant === '2'],
  ['label.campaign:7', ({ id }) => id === 'run-7'],
  ['id:run-1', ({ id }) => id.startsWith('run-1')],
  ['run-2', ({ id }) => id.startsWith('run-2')],
  ['error:"failed after"', ({ state }) => state === 'FAILURE'],
  ['error:"100%_"', () => false],
  ['retries:>1', ({ retries }) => retries > 1],
];

function taskOf(id: string): string {
  return `task_${Number(id.slice('run-'.length)) % 3}`;
}

test('a search is the runs that each of its parts means, in pages of any size, and a tenant’s are its own', async () => {
  const database = await testDatabase();
  const pool = database.as('stratum_dashboard');
  const parts = fc.uniqueArray(fc.constantFrom(...PARTS), { maxLength: 3, selector: ([part]) => part });
  const scopes = fc.constantFrom<SearchOptions['scope']>('platform', '1', '2', '0');
  await fc.assert(
    fc.asyncProperty(
      histories,
      fc.array(fc.record({ parts, scope: scopes, limit: fc.integer({ min: 1, max: 7 }) }), {
        minLength: 1,
        maxLength: 8,
      }),
      async (events, searches) => {
        await database.owner.query('TRUNCATE task_open, task_run, task_minute, task_hour, projector');
        const names = new Names();
        await names.load(pool);
        const position = { sequence: events.length + 1, at: new Date() };
        await applyEvents(pool, names, { stream: 's', events, after: 0, position });
        const ended = referenceRuns(events).filter(({ finished_at: at }) => at !== null);
        for (const { parts: chosen, scope, limit } of searches) {
          const text = chosen.map(([part]) => part).join(' ');
          if (isTwice(chosen.map(([part]) => part))) {
            expect(() => parseQuery(text)).toThrow('is given twice');
            continue;
          }
          const expected = ended.filter(
            (run) =>
              (scope === 'platform' || run.tenant_id === scope) && chosen.every(([, means]) => means(run)),
          );
          const found = await everyPage(pool, names, {
            scope,
            query: parseQuery(text),
            from: FROM,
            to: TO,
            limit,
          });
          expect(found.toSorted(), `${text} as ${scope}`).toEqual(
            expected.map(({ id, finished_at: at }) => `${at} ${id}`).toSorted(),
          );
          expect(found).toEqual(found.toSorted().toReversed());
        }
      },
    ),
    { numRuns: 40 },
  );
});

function isTwice(parts: readonly string[]): boolean {
  const keys = parts.filter((part) => part.includes(':')).map((part) => part.split(':')[0]);
  return new Set(keys).size < keys.length;
}

async function everyPage(
  pool: Parameters<typeof searchEndedRuns>[0],
  names: Names,
  options: SearchOptions,
): Promise<string[]> {
  const found: string[] = [];
  let after: SearchOptions['after'];
  do {
    // Without time it still goes on from where it was.
    const page = await searchEndedRuns(pool, names, { ...options, after, budgetMs: 0 });
    found.push(...page.items.map(({ id, finished_at: at }) => `${at} ${id}`));
    after = page.next;
  } while (after !== undefined);
  return found;
}

test.each([
  ['colour:red', 'unknown key "colour"'],
  ['state:lost', 'the states are'],
  ['slow:10s', 'slow:>10s'],
  ['tenant:acme', 'a tenant is a number'],
  ['group:99999999999999999999', 'not the number of an error group'],
  ['label:17', 'label.campaign:17'],
  ['error:ab', 'at least three characters'],
])('%s is refused by name', (text, reason) => {
  expect(() => parseQuery(text)).toThrow(reason);
});

test('quotes hold words together, and nothing in them is syntax', () => {
  expect(parseQuery('error:"a \\"b\\" task:x" slow:>2m')).toEqual({
    error: 'a "b" task:x',
    slowerMs: 120_000,
  });
});

test('a search uses the indexes of text and labels, whoever asks', async () => {
  const { owner } = await testDatabase();
  await owner.query(`SELECT ensure_history_day('${new Date().toISOString().slice(0, 10)}')`);
  await owner.query(`INSERT INTO task_name (queue, name) VALUES ('default', 't')`);
  await owner.query(
    `INSERT INTO task_run (finished_at, enqueued_at, tenant_id, task, priority, state, retries, attempts_made, id, error_message, labels)
     SELECT now(), now(), 1 + n % 50, 1, 2, 2, 0, 1, 'r' || n, md5(n::text), jsonb_build_object('k', n::text) FROM generate_series(1, 20000) n`,
  );
  // New entries of a GIN index are read one by one until a vacuum has sorted them in.
  await owner.query('VACUUM ANALYZE task_run');
  for (const [filter, index] of [
    [{ error: 'needle' }, /bitmap index scan on \w*error_message/i],
    [{ labels: { k: '17' } }, /bitmap index scan on \w*labels/i],
    [{ id_prefix: 'r1999' }, /index scan .*_id/i],
  ] as const) {
    const { rows: conditions } = await owner.query<{ text: string }>(
      `SELECT history_conditions('7', $1) AS text`,
      [filter],
    );
    const { rows } = await owner.query<{ 'QUERY PLAN': string }>(
      `EXPLAIN SELECT run.* FROM task_run AS run WHERE ${conditions[0]?.text}`,
    );
    expect(rows.map((row) => row['QUERY PLAN']).join('\n')).toMatch(index);
  }
});

test('without time for a second look, a search that reaches into the future still finds what ended today', async () => {
  const database = await testDatabase();
  const pool = database.as('stratum_dashboard');
  const names = new Names();
  await names.load(pool);
  const now = new Date();
  const event: TaskEvent = {
    id: 'just-now',
    task: 'task_1',
    queue: 'default',
    tenant: '1',
    priority: 'normal',
    state: 'SUCCESS',
    retries: 0,
    worker: 'w1',
    error: null,
    progress: null,
    enqueued_at: now.toISOString(),
    started_at: now.toISOString(),
    finished_at: now.toISOString(),
    runtime_ms: 1,
    parent_id: null,
    root_id: 'just-now',
    at: now.toISOString(),
  };
  await applyEvents(pool, names, {
    stream: 's',
    events: [event],
    after: 0,
    position: { sequence: 1, at: now },
  });
  const { items } = await searchEndedRuns(pool, names, {
    scope: 'platform',
    query: parseQuery(''),
    from: new Date(now.getTime() - 86_400_000),
    to: new Date(now.getTime() + 86_400_000),
    limit: 10,
    budgetMs: 0,
  });
  expect(items.map(({ id }) => id)).toEqual(['just-now']);
});

test('a search that comes to a slow day ends in time, and says how far it has looked', async () => {
  const { owner, as } = await testDatabase();
  const pool = as('stratum_dashboard');
  const names = new Names();
  const now = Date.now();
  const days = [0, 1, 2].map((n) => new Date(now - n * 86_400_000).toISOString().slice(0, 10));
  for (const day of days) await owner.query('SELECT ensure_history_day($1)', [day]);
  const slow = await owner.connect();
  try {
    await slow.query('BEGIN');
    await slow.query(`LOCK TABLE task_run_${days[2]?.replaceAll('-', '')} IN ACCESS EXCLUSIVE MODE`);
    const options = {
      scope: 'platform',
      query: {},
      from: new Date(now - 30 * 86_400_000),
      to: new Date(now),
    };
    const startedAt = performance.now();
    const page = await searchEndedRuns(pool, names, { ...options, scope: 'platform', limit: 10 });
    // Without the limit the statement would wait for as long as the connection allows, 30 seconds.
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(page.items).toEqual([]);
    expect(page.next?.at).toEqual(page.searchedUntil);
    expect(page.searchedUntil.getTime()).toBeGreaterThanOrEqual(Date.parse(`${days[1]}T00:00:00Z`));
    expect(page.searchedUntil.getTime()).toBeLessThan(now);
  } finally {
    await slow.query('ROLLBACK');
    slow.release();
  }
});
