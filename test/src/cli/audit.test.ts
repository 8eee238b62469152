/** `stratum audit`: what a person with every right in the database, but without the key, cannot do unseen. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDefaultHandlers } from '@stratum/default-worker';
import { WhatsAppClient } from '@stratum/connectors/whatsapp';
import { SafeFetch } from '@stratum/connectors/safe-fetch';
import { ensureAuditStream, parseKeyRing, processAuditLogs, publishAudit } from '@stratum/shared';
import { anchorNames, CHAIN_START, linkHash } from '@stratum/shared/audit';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { dataFolder, testKeyText } from '../harness/index.js';
import { openPlatform, OTHER_TENANT, TENANT, type Platform } from '../harness/platform.js';
import { runStratum, type Ran } from './stratum.js';

const EVENTS = 4;
const PAYLOAD = '{"tenant_id":1}';

const verified = z.object({
  chains: z.array(z.object({ tenant_id: z.int(), problems: z.array(z.string()) })),
});

interface Log extends Platform {
  anchorFile: string;
  stratum: (...args: string[]) => Promise<Ran>;
  /** The problems that `stratum audit verify` finds in the tenant's chain. */
  problems: (...args: string[]) => Promise<string[]>;
  publish: (id: string, tenantId?: number) => Promise<void>;
}

async function openLog(): Promise<Log> {
  const platform = await openPlatform();
  const { database, connection, topology, client, prefix, natsUrl, startWorker } = platform;
  await ensureAuditStream(connection, {
    STRATUM_PREFIX: prefix,
    STRATUM_REPLICAS: 1,
    AUDIT_MAX_BYTES: 1_048_576,
  });
  const keyText = testKeyText();
  const keys = parseKeyRing(keyText);
  const anchorFile = join(await dataFolder('stratum-anchors-'), 'anchors.ndjson');
  const handlers = createDefaultHandlers({
    pool: database.as('stratum_default_worker'),
    connection,
    topology,
    client,
    prefix,
    keys,
    audit: { keys, anchorFile },
    whatsapp: new WhatsAppClient({ baseUrl: 'http://127.0.0.1:1', timeoutMs: 1_000 }),
    site: new SafeFetch(),
  });
  startWorker('default', handlers);
  const stratum: Log['stratum'] = (...args) =>
    runStratum(args, {
      NATS_URL: natsUrl,
      DATABASE_URL: database.url,
      STRATUM_PREFIX: prefix,
      STRATUM_CREDENTIALS_KEY: testKeyText(),
      STRATUM_AUDIT_KEY: keyText,
    });
  return {
    ...platform,
    anchorFile,
    stratum,
    problems: async (...args) => {
      const { code, stdout } = await stratum('audit', 'verify', '--json', ...args);
      const { chains } = verified.parse(JSON.parse(stdout));
      const found = chains.flatMap(({ tenant_id: id, problems }) => (id === TENANT ? problems : []));
      expect(code).toBe(found.length === 0 ? 0 : 1);
      return found;
    },
    publish: (id, tenantId = TENANT) =>
      publishAudit(connection, prefix, {
        id,
        tenant_id: tenantId,
        actor: 'key/abc',
        action: 'rule.saved',
        subject: 'rule/1',
        details: { before: { limit: 1 }, after: { limit: 2 } },
        occurred_at: '2026-11-20T10:00:00.000Z',
      }),
  };
}

async function filledLog(): Promise<Log> {
  const log = await openLog();
  for (let index = 1; index <= EVENTS; index++) await log.publish(`e${index}`);
  await log.publish('other', OTHER_TENANT);
  await log.run(processAuditLogs, {});
  return log;
}

const setHead = (sequence: number): string =>
  `UPDATE audit_chain SET sequence = ${sequence}, anchored_sequence = ${sequence},
     hash = (SELECT hash FROM audit_event WHERE tenant_id = 1 AND sequence = ${sequence}) WHERE tenant_id = 1`;

test.each([
  [
    'a changed event',
    [`UPDATE audit_event SET actor = 'key/other' WHERE tenant_id = 1 AND sequence = 2`],
    [/^event 2 was changed$/],
  ],
  [
    'a removed event',
    ['DELETE FROM audit_event WHERE tenant_id = 1 AND sequence = 2'],
    [/^event 2 is missing$/],
  ],
  [
    'a cut tail with a head that fits',
    ['DELETE FROM audit_event WHERE tenant_id = 1 AND sequence > 2', setHead(2)],
    [/^events 3 to 4 are missing: an anchor says that there were 4$/],
  ],
  [
    'a removed chain',
    ['DELETE FROM audit_event WHERE tenant_id = 1', 'DELETE FROM audit_chain WHERE tenant_id = 1'],
    [/^events 1 to 4 are missing/],
  ],
] as const)('%s shows', async (_name, statements, expected) => {
  const { query, problems } = await filledLog();
  expect(await problems()).toEqual([]);
  for (const statement of statements) await query(statement);
  expect(await problems()).toEqual(expected.map((each) => expect.stringMatching(each) as unknown));
});

test('a chain written anew without the key shows, whether its links are plain or keyed with another key', async () => {
  const { query, problems } = await filledLog();
  const rows = await query<Parameters<typeof linkHash>[3] & { sequence: string; occurred_at: string }>(
    'SELECT * FROM audit_event WHERE tenant_id = 1 ORDER BY sequence',
  );
  const rewrite = async (key: Buffer | undefined, keyId: string | null): Promise<void> => {
    await query('ALTER TABLE audit_event DROP CONSTRAINT IF EXISTS audit_event_keyed');
    let previous: Buffer = CHAIN_START;
    for (const row of rows) {
      const event = { ...row, tenant_id: TENANT, actor: 'key/innocent' };
      const hash = linkHash(key, previous, Number(row.sequence), event);
      await query(
        `UPDATE audit_event SET actor = $2, previous = $3, hash = $4, key_id = $5 WHERE tenant_id = 1 AND sequence = $1`,
        [row.sequence, event.actor, previous, hash, keyId],
      );
      previous = hash;
    }
    await query(setHead(EVENTS));
  };
  await rewrite(undefined, null);
  expect(await problems()).toEqual([expect.stringMatching(/not the one that an anchor names/)]);
  await rewrite(Buffer.alloc(32, 1), 'test');
  expect(await problems()).toEqual([expect.stringMatching(/^event 1 was changed$/)]);
});

test('a forged anchor shows; the file of the anchors tells of a cut tail after the stream is gone', async () => {
  const { connection, prefix, query, problems, stratum, anchorFile } = await filledLog();
  const kept = (await readFile(anchorFile, 'utf8')).trimEnd().split('\n');
  const own = kept.find((line) => line.includes('"tenant_id":1,')) ?? '';
  const names = anchorNames(prefix);
  const forged = own.replace('"sequence":4', '"sequence":2');
  await connection.request(names.subject(TENANT), forged);
  expect(await problems()).toEqual([expect.stringMatching(/^the anchor of .* is forged$/)]);
  await connection.request(`$JS.API.STREAM.DELETE.${names.stream}`);
  await query('DELETE FROM audit_event WHERE tenant_id = 1 AND sequence > 2');
  await query(setHead(2));
  expect(await problems('--tenant', '1')).toEqual([expect.stringMatching(/^there is no anchor/)]);
  expect(await problems('--anchors', anchorFile)).toEqual([
    expect.stringMatching(/^events 3 to 4 are missing/),
  ]);
  await writeFile(anchorFile, 'nonsense\n');
  expect((await stratum('audit', 'verify', '--anchors', anchorFile)).stderr).toContain('Line 1');
});

test('events of before the key stay verifiable, and the next run seals them', async () => {
  const { query, run, problems, publish } = await openLog();
  // As the version before wrote them.
  await query('ALTER TABLE audit_event DROP CONSTRAINT audit_event_keyed');
  const event = {
    id: 'old',
    tenant_id: TENANT,
    actor: 'key/abc',
    action: 'rule.changed',
    subject: 'rule/1',
    details: { b: 1, a: 2 },
    occurred_at: '2026-11-20T10:00:00.000Z',
  };
  const content = [
    TENANT,
    1,
    'old',
    'key/abc',
    'rule.changed',
    'rule/1',
    [
      ['a', 2],
      ['b', 1],
    ],
    event.occurred_at,
  ];
  const hash = createHash('sha256').update(CHAIN_START).update(JSON.stringify(content)).digest();
  await query(
    `INSERT INTO audit_event (tenant_id, sequence, id, actor, action, subject, details, occurred_at, previous, hash)
     VALUES (1, 1, 'old', 'key/abc', 'rule.changed', 'rule/1', $1, $2, $3, $4)`,
    [event.details, event.occurred_at, CHAIN_START, hash],
  );
  await query('INSERT INTO audit_chain (tenant_id, sequence, hash) VALUES (1, 1, $1)', [hash]);
  await query(
    'ALTER TABLE audit_event ADD CONSTRAINT audit_event_keyed CHECK (key_id IS NOT NULL) NOT VALID',
  );
  expect(await problems()).toHaveLength(2);
  await run(processAuditLogs, {});
  expect(await problems()).toEqual([]);
  expect(await query('SELECT action, key_id IS NULL AS plain FROM audit_event ORDER BY sequence')).toEqual([
    { action: 'rule.changed', plain: true },
    { action: 'audit.sealed', plain: false },
  ]);
  await publish('new');
  await run(processAuditLogs, {});
  expect(await problems()).toEqual([]);
  await query('ALTER TABLE audit_event DROP CONSTRAINT audit_event_keyed');
  await query(`UPDATE audit_event SET subject = 'rule/2' WHERE tenant_id = 1 AND sequence = 1`);
  expect(await problems()).toEqual(['event 1 was changed']);
});

test('events are listed by filter, and exported in full', async () => {
  const { stratum } = await filledLog();
  const listed = await stratum(
    'audit',
    'list',
    '--tenant',
    '1',
    '--action',
    'rule.*',
    '--limit',
    '2',
    '--json',
  );
  expect(JSON.parse(listed.stdout)).toMatchObject([{ sequence: 4, actor: 'key/abc' }, { sequence: 3 }]);
  const text = await stratum('audit', 'list', '--tenant', '1', '--before', '3');
  expect(text.stdout.trimEnd().split('\n')).toHaveLength(3);
  expect((await stratum('audit', 'list', '--tenant', '1', '--actor', 'key/none')).stdout).toContain(
    'No events match',
  );
  const ndjson = await stratum('audit', 'export', '--tenant', '1');
  expect(ndjson.stdout.trimEnd().split('\n')).toHaveLength(EVENTS);
  const csv = await stratum('audit', 'export', '--tenant', '1', '--format', 'csv');
  expect(csv.stdout).toMatch(/^tenant_id,sequence,occurred_at,actor,action,subject,details,id\n1,4,/);
});

test('what an operator changes by command is an event with the operator, the state before and the one after', async () => {
  const { stratum, run, query } = await openLog();
  const commands = [
    ['control', 'pause', 'rules'],
    ['control', 'resume', 'rules'],
    ['control', 'rate-limit', 'evaluate_rules', '10/s'],
    ['control', 'rate-limit', 'evaluate_rules', 'none'],
    ['limits', 'set', 'sync_campaign_data', 'platform', '--concurrency', '2'],
    ['limits', 'reset', 'sync_campaign_data', 'platform'],
    ['breakers', 'open', 'ad_platform', 'meta'],
    ['breakers', 'close', 'ad_platform', 'meta'],
    ['purge', 'rules', '--yes'],
    ['revoke', '--task', 'evaluate_rules', '--tenant', '1'],
    ['call', 'evaluate_rules', PAYLOAD, '--delay', '1h', '--id', 'called'],
    ['revoke', 'called'],
    ['schedules', 'add', 'nightly', '--task', 'evaluate_rules', '--payload', PAYLOAD, '--cron', '0 3 * * *'],
    ['schedules', 'edit', 'nightly', '--cron', '0 4 * * *'],
    ['schedules', 'pause', 'nightly'],
    ['schedules', 'remove', 'nightly'],
    ['tenants', 'create', 'Third'],
    ['send-event', 'approval', '{"by":"ann"}', '--tenant', '1', '--id', 'sent'],
  ] as const;
  for (const command of commands) {
    const { code, stderr } = await stratum(...command);
    expect(code, `${command.join(' ')}: ${stderr}`).toBe(0);
  }
  await run(processAuditLogs, {});
  const rows = await query<{ actor: string; action: string; details: Record<string, unknown> }>(
    'SELECT tenant_id::int AS tenant, actor, action, subject, details FROM audit_event ORDER BY occurred_at',
  );
  expect(rows.map(({ action }) => action)).toEqual([
    'queue.paused',
    'queue.resumed',
    'task.rate_limited',
    'task.rate_limited',
    'task.key_limited',
    'task.key_limited',
    'circuit.opened',
    'circuit.closed',
    'queue.purged',
    'tasks.revoked',
    'task.enqueued',
    'task.revoked',
    'schedule.added',
    'schedule.changed',
    'schedule.paused',
    'schedule.removed',
    'tenant.created',
    'run_event.sent',
  ]);
  for (const { actor } of rows) expect(actor).toMatch(/^cli\/[^@]+@.+$/);
  expect(rows[0]).toMatchObject({
    tenant: 0,
    subject: 'queue/rules',
    details: { before: { paused: false }, after: { paused: true } },
  });
  expect(rows[3]).toMatchObject({ details: { before: { limit: 10 }, after: null } });
  expect(rows[5]).toMatchObject({
    subject: 'task/sync_campaign_data',
    details: { limit: 'platform', before: { concurrency: 2 }, after: null },
  });
  expect(rows[11]).toMatchObject({ tenant: TENANT, subject: 'task/called' });
  expect(rows[13]).toMatchObject({
    details: { before: { cron: '0 3 * * *' }, after: { cron: '0 4 * * *' } },
  });
});
