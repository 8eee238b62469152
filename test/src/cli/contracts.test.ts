/** `stratum contracts export`: its output is correct, and the committed files match it. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { taskEventSchema, type TaskEvent } from '@stratum/jobs';
import { TASKS } from '@stratum/shared';
import { Ajv } from 'ajv';
// oxlint-disable-next-line no-restricted-imports -- where the library's guide says that the dialect 2020-12 is
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { spawnProgram, waitFor } from '../harness/index.js';
import { add, addHandler, openJobs } from '../jobs/fixture.js';

const CONTRACTS = fileURLToPath(new URL('../../../docs/reference/contracts', import.meta.url));

async function stratum(...args: string[]): Promise<{ code: number | null; output: string }> {
  const program = spawnProgram('packages/cli/bin/stratum.js', {}, args);
  return { code: await program.exited(), output: program.output() };
}

async function readJson(path: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(CONTRACTS, path), 'utf8'));
}

const ajv = addFormats.default(new Ajv2020({ strict: true, allErrors: true }));

async function validator(path: string): Promise<(value: unknown) => boolean> {
  const schema = await readJson(path);
  return (value) => ajv.validate(schema, value);
}

/** What the schemas must take; each lacks nothing and has nothing to spare. */
const PAYLOADS: Record<string, Record<string, unknown>> = {
  sync_campaign_data: { tenant_id: 1, platform: 'meta' },
  calculate_tenant_scores: { tenant_id: 1, date: '2026-11-20' },
  check_tenant_pipeline: { tenant_id: 1, checked_at: '2026-11-20T08:00:00Z' },
  publish_cms_post: { tenant_id: 1, post_id: 5, action: 'publish' },
  fetch_competitor_data: { tenant_id: 1, competitor_id: 2 },
  generate_forecast: { tenant_id: 1 },
  evaluate_rules: { tenant_id: 1 },
  compute_cdp_segment: { segment_id: 3 },
};

describe('the documents', () => {
  test('are those of this version', async () => {
    expect(await stratum('contracts', 'export', '--check')).toMatchObject({ code: 0 });
  });

  test('are reported when outdated, and written again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'stratum-contracts-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await cp(CONTRACTS, folder, { recursive: true });
    await writeFile(join(folder, 'record.schema.json'), '{}');
    await writeFile(join(folder, 'tasks', 'gone.payload.schema.json'), '{}');
    await rm(join(folder, 'asyncapi.yaml'));
    const checked = await stratum('contracts', 'export', '--check', '--out', folder);
    expect(checked.code).toBe(1);
    for (const name of ['record.schema.json', 'tasks/gone.payload.schema.json', 'asyncapi.yaml'])
      expect(checked.output).toContain(name);
    expect(await stratum('contracts', 'export', '--out', folder)).toMatchObject({ code: 0 });
    expect(await stratum('contracts', 'export', '--check', '--out', folder)).toMatchObject({ code: 0 });
  });

  test('describe every task to any tool that reads AsyncAPI', async () => {
    const document = await readJson('asyncapi.json');
    expect(parse(await readFile(join(CONTRACTS, 'asyncapi.yaml'), 'utf8'))).toEqual(document);
    // The specification brings the meta-schema of its own, which must not stand there twice.
    const official = addFormats.default(new Ajv({ strict: false, meta: false, validateSchema: false }));
    const specification = fileURLToPath(import.meta.resolve('@asyncapi/specs/schemas/3.0.0.json'));
    const isAsyncApi = official.compile(JSON.parse(await readFile(specification, 'utf8')));
    expect(isAsyncApi(document), official.errorsText(isAsyncApi.errors)).toBe(true);
    expect(isAsyncApi({ ...document, channels: [] })).toBe(false);
    const text = JSON.stringify(document);
    for (const { name, queue } of TASKS) {
      expect(text).toContain(`"tasks_${queue}"`);
      expect(document).toHaveProperty(['components', 'messages', name]);
    }
    for (const [, pointer = ''] of text.matchAll(/"\$ref":"#\/([^"]+)"/g))
      expect(document, pointer).toHaveProperty(pointer.split('/'));
  });

  test.each(Object.entries(PAYLOADS))(
    'take what the task %s takes, and nothing else',
    async (task, payload) => {
      const accepts = await validator(`tasks/${task}.payload.schema.json`);
      const input = TASKS.find(({ name }) => name === task)?.input;
      expect(accepts(payload), ajv.errorsText()).toBe(true);
      for (const field of Object.keys(payload)) {
        for (const wrong of [undefined, null, -1, 'x', [], {}]) {
          const { [field]: _left, ...rest } = payload;
          const changed = wrong === undefined ? rest : { ...rest, [field]: wrong };
          expect(accepts(changed), JSON.stringify(changed)).toBe(input?.safeParse(changed).success);
        }
      }
    },
  );

  test('describe a task’s record and events', async () => {
    const [acceptsRecord, acceptsEvent] = await Promise.all([
      validator('record.schema.json'),
      validator('event.schema.json'),
    ]);
    const { client, connection, topology, worker } = await openJobs();
    const events: TaskEvent[] = [];
    connection.subscribe(topology.names.eventFilter, {
      callback: (_, message) => void events.push(taskEventSchema.parse(message.json())),
    });
    worker([addHandler]);
    const { id } = await client.enqueue(add, { a: 1, b: 2, tenant_id: 1 });
    const record = await client.result(id);
    await waitFor('the events', () => events.some(({ state }) => state === 'SUCCESS'));
    expect(acceptsRecord(record), ajv.errorsText()).toBe(true);
    for (const event of events) expect(acceptsEvent(event), ajv.errorsText()).toBe(true);
    expect(acceptsRecord({ ...record, state: 'DONE' })).toBe(false);
    const acceptsHeaders = await validator('dead-letter-headers.schema.json');
    const headers = {
      'Dead-Reason': 'max_retries',
      'Dead-Error': 'Error: gone',
      'Dead-At': '2026-11-20T08:00:00.000Z',
      'Dead-Attempts': '4',
      'Dead-Subject': 'stratum.tasks.sync.normal.1.sync_campaign_data.one',
    };
    expect(acceptsHeaders(headers), ajv.errorsText()).toBe(true);
    expect(acceptsHeaders({ ...headers, 'Dead-Reason': 'bored' })).toBe(false);
  });

  test('are valid JSON Schemas for every task', async () => {
    const strict = addFormats.default(new Ajv2020({ strict: true }));
    for (const { name } of TASKS)
      for (const kind of ['payload', 'result'])
        expect(strict.compile(await readJson(`tasks/${name}.${kind}.schema.json`))).toBeTypeOf('function');
  });
});
