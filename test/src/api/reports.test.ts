/** What jobs computed, over HTTP: pages, filters, CSV, each tenant's own rows. */
import { csvLines, reportAsCsv, REPORTS } from '@stratum/shared/reports';
import { expect, test } from 'vitest';
import { openApi, OTHER_TENANT, TENANT } from './fixture.js';

const CSV = { accept: 'text/csv' };

/** Two rows of a tenant in every set; `$1` is the tenant. */
const ROWS: readonly string[] = [
  `INSERT INTO platform_account (tenant_id, platform, external_id, currency) VALUES ($1, 'meta', 'of-the-reports', 'USD')`,
  `INSERT INTO campaign (tenant_id, account_id, external_id, name, status, platform_status, currency, last_synced_at)
   SELECT $1, id, day, '=of ' || $1, 'active', 'ACTIVE', 'USD', now() FROM platform_account, generate_series(1, 2) day
   WHERE tenant_id = $1 AND external_id = 'of-the-reports'`,
  `INSERT INTO forecast SELECT $1, id, 'USD', 'spend', '2026-11-29', '2026-12-01', 1, 0, 2, 0, 3 FROM mine`,
  `INSERT INTO forecast_accuracy SELECT $1, id, 'USD', 'spend', '2026-11-29', 'ets', NULL, 1, .9, 3, 60 FROM mine`,
  `INSERT INTO prediction SELECT $1, id, now(), 'USD', 10.5, 20, 15, 25, NULL, NULL, .2, NULL, '[]', NULL, '-5 % a day' FROM mine`,
  `INSERT INTO anomaly SELECT $1, id, 'spend', '2026-11-29', 9, 1, 5, .9, 'much' FROM mine`,
  `INSERT INTO alert (tenant_id, kind, severity, key, title, message, opened_at) SELECT $1, 'rule', 'info', id, 'T', 'of ' || $1, now() FROM mine`,
  `INSERT INTO daily_score SELECT $1, id, '2026-11-29', 'fix', -.5, -.5, 10, ARRAY['=a', 'b'], '{}' FROM mine`,
  `INSERT INTO creative (tenant_id, campaign_id, external_id, name) SELECT $1, id, 'x', 'of ' || $1 FROM mine`,
  `INSERT INTO creative_fatigue SELECT $1, id, '2026-11-29', 'watch', .5, .5, '{}' FROM creative WHERE tenant_id = $1 AND name = 'of ' || $1`,
  `INSERT INTO cost_allocation SELECT $1, '2026-11-29', 'of ' || $1, 'USD', 'campaign', id, -1.250000 FROM mine`,
  `INSERT INTO usage_rollup (tenant_id, date, active_campaigns, synced_rows, task_runs, month_to_date_spend, plan, limits_used)
   SELECT $1, date '2026-11-01' + id::int % 100, 1, 1000 + $1, '{}', '{}', 'standard', '{}' FROM mine`,
  `INSERT INTO pipeline_check SELECT $1, timestamptz '2026-11-29Z' + id * interval '1 s', 'healthy', '[]', to_jsonb($1) FROM mine`,
  `INSERT INTO sync_run (tenant_id, account_id, task_id, window_since, window_until)
   SELECT $1, a.id, 'x', '2026-11-01', '2026-11-29' FROM platform_account a, mine WHERE a.tenant_id = $1 AND external_id = 'of-the-reports'`,
  `INSERT INTO rule (tenant_id, name, definition) VALUES ($1, 'of ' || $1, '{}')`,
  `INSERT INTO rule_execution (tenant_id, rule_id, campaign_id, evaluated_at, outcome, seen, done)
   SELECT $1, r.id, mine.id, now(), 'fired', '[]', '{alert}' FROM rule r, mine WHERE r.tenant_id = $1 AND r.name = 'of ' || $1`,
];
const MINE = `(SELECT id FROM campaign WHERE tenant_id = $1 AND name = '=of ' || $1) AS mine`;

test('every set is read with its scope, in pages and as CSV that hold the same rows, for its tenant alone', async () => {
  const { call, createKey, keys, query } = await openApi();
  for (const tenant of [TENANT, OTHER_TENANT])
    for (const statement of ROWS)
      await query(statement.replaceAll(/\bmine(?=$|,| WHERE)/g, MINE).replaceAll('$1', `${tenant}`));
  for (const { path, scope, columns, filters } of REPORTS) {
    const url = `/v1/${path}`;
    const read = async (key: string): Promise<unknown[]> => {
      const rows: unknown[] = [];
      for (let cursor = ''; ;) {
        const reply = await call<{ items: object[]; next_cursor: string | null }>(
          'GET',
          `${url}?limit=1${cursor}`,
          { key },
        );
        expect(reply, path).toMatchObject({ status: 200 });
        rows.push(...reply.body.items);
        if (reply.body.next_cursor === null) return rows;
        cursor = `&cursor=${reply.body.next_cursor}`;
      }
    };
    const mine = await read(keys.tenant);
    const theirs = await read(keys.otherTenant);
    expect(mine.length, path).toBeGreaterThanOrEqual(2);
    for (const row of mine) expect(theirs, path).not.toContainEqual(row);
    const file = await call<string>('GET', url, { headers: CSV });
    expect(file.headers.get('content-type'), path).toMatch(/^text\/csv/);
    const [header, ...lines] = file.body.trimEnd().split('\n');
    expect(header, path).toBe(Object.keys(columns).join(','));
    expect(lines, path).toHaveLength(mine.length);
    expect(file.body, path).not.toMatch(/(^|,)=/m);
    const reader = await createKey(TENANT, [scope]);
    expect(await call('GET', url, { key: reader.text }), path).toMatchObject({ status: 200 });
    const stranger = await createKey(OTHER_TENANT, ['tasks:read']);
    expect(await call('GET', url, { key: stranger.text }), path).toMatchObject({ status: 403 });
    expect(await call('GET', `${url}?cursor=x`), path).toMatchObject({ status: 400 });
    for (const name of Object.keys(filters)) {
      const refused = await call<{ errors: { field: string }[] }>('GET', `${url}?${name}=%00`);
      expect(refused.status, `${path} ${name}`).toBe(400);
      expect(refused.body.errors.map(({ field }) => field)).toContain(`query.${name}`);
    }
  }
});

test('filters and order are those of the set; a large set is streamed whole', async () => {
  const { call, database, query } = await openApi();
  await query(
    `INSERT INTO forecast (tenant_id, campaign_id, currency, metric, made_on, date, mean, lower_80, upper_80, lower_95, upper_95)
     SELECT $1, campaign, 'EUR', metric, made_on, made_on + day, -5, -6, 1, -7, 2
     FROM generate_series(0, 9) campaign, unnest(ARRAY['spend', 'revenue']) metric,
       unnest(ARRAY['2026-11-28', '2026-11-29']::date[]) made_on, generate_series(1, 60) day`,
    [TENANT],
  );
  const all = await call<string>('GET', '/v1/forecasts', { headers: CSV });
  expect(all.body.trimEnd().split('\n')).toHaveLength(2_401);
  const some = '/v1/forecasts?campaign_id=0&metric=spend&latest=true&since=2026-12-01&until=2026-12-03';
  expect(await call('GET', some)).toMatchObject({
    body: {
      items: ['2026-12-01', '2026-12-02'].map((date) => ({
        campaign_id: 0,
        made_on: '2026-11-29',
        date,
        mean: -5,
      })),
      next_cursor: null,
    },
  });
  // A number is no formula.
  expect((await call<string>('GET', some, { headers: CSV })).body).toContain(',2026-12-01,-5,-6,1,-7,2\n');
  const [report] = REPORTS;
  if (report === undefined) throw new Error('There are no sets.');
  const chunks: string[] = [];
  for await (const chunk of reportAsCsv(database.as('stratum_api'), TENANT, report, { filters: {} }))
    chunks.push(chunk);
  expect(chunks).toHaveLength(4);
  expect(chunks.join('')).toBe(all.body);
});

test.each([
  ['=1+1', "'=1+1"],
  ['+49 151', "'+49 151"],
  ['-5 % of budget', "'-5 % of budget"],
  ['@name', "'@name"],
  ['\tx', "'\tx"],
  ['a "quoted", one', '"a ""quoted"", one"'],
  ['two\nlines', '"two\nlines"'],
  [['-a', 'b'], "'-a; b"],
  [null, ''],
  [{ a: 1 }, '"{""a"":1}"'],
])('a cell of text %j is written as %j', (value, cell) => {
  expect(csvLines([{ name: 'x', numeric: false }], [{ x: value }])).toBe(`${cell}\n`);
});
