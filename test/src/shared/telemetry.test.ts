/**
 * OpenTelemetry, switched on by the standard variables alone: one trace leads from the HTTP request through the attempt to SQL and to the
 * platform's calls.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { withTenant } from '@stratum/shared';
import { createApiKey } from '@stratum/shared/api-keys';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { freePort, spawnProgram, waitFor } from '../harness/index.js';
import { openSync } from '../sync-worker/fixture.js';

/** JSON of OTLP/HTTP 1.x: https://opentelemetry.io/docs/specs/otlp/#otlphttp */
const attribute = z.object({ key: z.string(), value: z.record(z.string(), z.unknown()) });
const exportSchema = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: z.array(attribute) }),
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              traceId: z.string(),
              spanId: z.string(),
              parentSpanId: z.string().optional(),
              name: z.string(),
              kind: z.number(),
              attributes: z.array(attribute),
            }),
          ),
        }),
      ),
    }),
  ),
});

interface ReceivedSpan {
  service: string;
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  name: string;
  kind: number;
  attributes: Record<string, unknown>;
}

const SERVER = 2;
const CLIENT = 3;
const PRODUCER = 4;
const CONSUMER = 5;

/** Collects spans, and answers with success as the protocol demands. */
async function openReceiver(): Promise<{ url: string; spans: ReceivedSpan[] }> {
  const spans: ReceivedSpan[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url === '/v1/traces') spans.push(...spansOf(Buffer.concat(chunks).toString()));
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on a port
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, spans };
}

function spansOf(body: string): ReceivedSpan[] {
  return exportSchema.parse(JSON.parse(body)).resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(valuesOf(resource.attributes)['service.name']);
    return scopeSpans.flatMap(({ spans }) =>
      spans.map(({ parentSpanId, attributes, ...span }) => ({
        ...span,
        service,
        parentSpanId: parentSpanId === '' ? undefined : parentSpanId,
        attributes: valuesOf(attributes),
      })),
    );
  });
}

function valuesOf(attributes: readonly z.infer<typeof attribute>[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

test('a trace leads from the HTTP request through the attempt to SQL and the platform’s calls', async () => {
  const { url, spans } = await openReceiver();
  const setup = await openSync();
  const port = await freePort();
  const environment = {
    NATS_URL: setup.natsUrl,
    DATABASE_URL: setup.database.url,
    STRATUM_PREFIX: setup.prefix,
    STRATUM_CREDENTIALS_KEY: setup.keyText,
    ...setup.sandbox.endpoints,
    API_PORT: String(port),
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '100',
  };
  const worker = spawnProgram('services/sync-worker/dist/main.js', environment);
  const api = spawnProgram('services/api/dist/main.js', environment);
  await Promise.all([worker.ready(), api.ready()]);
  const { text } = await withTenant(setup.database.owner, 1, (client) =>
    createApiKey(client, { name: 'test', tenantId: 1, scopes: ['tasks:write'] }),
  );
  const response = await fetch(`http://127.0.0.1:${port}/v1/tasks/sync_campaign_data?token=in-the-query`, {
    method: 'POST',
    headers: { authorization: `Bearer ${text}`, 'content-type': 'application/json' },
    body: JSON.stringify({ payload: { tenant_id: 1, platform: 'meta' } }),
  });
  expect(response.status).toBe(202);
  const { id } = z.object({ id: z.string() }).parse(await response.json());
  expect(await setup.client.result(id)).toMatchObject({ state: 'SUCCESS' });

  const ofTask = (kind: number): ReceivedSpan | undefined =>
    spans.find((span) => span.kind === kind && span.attributes['messaging.message.id'] === id);
  const attempt = await waitFor('the attempt', () => ofTask(CONSUMER));
  const within = (matches: (span: ReceivedSpan) => boolean): ReceivedSpan | undefined =>
    spans.find((span) => span.traceId === attempt.traceId && matches(span));
  const request = await waitFor('the request', () => within(({ kind }) => kind === SERVER));
  const sent = await waitFor('the enqueueing', () => ofTask(PRODUCER));
  expect([request.service, sent.service, attempt.service]).toEqual(['api', 'api', 'sync-worker']);
  expect(isBelow(spans, sent, request)).toBe(true);
  expect(attempt.parentSpanId).toBe(sent.spanId);
  const query = await waitFor('a query', () =>
    within((span) => span.service === 'sync-worker' && isQuery(span) && isBelow(spans, span, attempt)),
  );
  expect(query.kind).toBe(CLIENT);
  const call = await waitFor('a call of the platform', () =>
    within((span) => span.kind === CLIENT && 'url.full' in span.attributes && isBelow(spans, span, attempt)),
  );
  expect(call.attributes['url.full']).toContain(setup.sandbox.url);
  // Neither a query of an address nor a value of a statement is sent.
  expect(JSON.stringify(spans)).not.toContain('in-the-query');
  expect(JSON.stringify(spans)).not.toContain('access_token=');
  expect(await worker.kill('SIGTERM')).toBe(0);
  expect(await api.kill('SIGTERM')).toBe(0);
});

function isQuery({ attributes }: ReceivedSpan): boolean {
  return attributes['db.system'] === 'postgresql' || attributes['db.system.name'] === 'postgresql';
}

function isBelow(spans: readonly ReceivedSpan[], span: ReceivedSpan, ancestor: ReceivedSpan): boolean {
  const parent = spans.find(({ spanId }) => spanId === span.parentSpanId);
  return parent !== undefined && (parent === ancestor || isBelow(spans, parent, ancestor));
}
