/** Random and hostile requests against every route: none of them is answered with a 5xx, and the server goes on. */
import * as fc from 'fast-check';
import { request } from 'node:http';
import { connect } from 'node:net';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { openApi, type Api } from '../fixture.js';
import { anyJson, anyText, fromSchema, type JsonSchema, type Schemas } from './arbitraries.js';

interface Operation {
  method: string;
  path: string;
  parameters: { name: string; in: string; schema: JsonSchema }[];
  body: JsonSchema | undefined;
}

interface Description {
  paths: Record<
    string,
    Record<
      string,
      {
        parameters?: Operation['parameters'];
        requestBody?: { content: Record<string, { schema: JsonSchema }> };
      }
    >
  >;
  components: { schemas: Schemas };
}

/** Requests for each route. */
const RUNS = 40;
const TIMEOUT_MS = 10_000;
/** What ends by itself, but later than a test should wait. */
const LONG = /\/events$/;

async function describeApi(api: Api): Promise<{ operations: Operation[]; schemas: Schemas }> {
  const { body } = await api.call<Description>('GET', '/openapi.json', { key: null });
  const operations = Object.entries(body.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [], requestBody }]) => ({
      method: method.toUpperCase(),
      path,
      parameters,
      body: Object.values(requestBody?.content ?? {})[0]?.schema,
    })),
  );
  return { operations: operations.filter(({ path }) => !LONG.test(path)), schemas: body.components.schemas };
}

interface FuzzedRequest {
  path: string;
  headers: Record<string, string>;
  body: string | Uint8Array | undefined;
}

const HEADER_SAFE = /[^\t\x20-\x7e\x80-\xff]/g;
const headerText = anyText.map((text) => text.replaceAll(HEADER_SAFE, '').trim().slice(0, 4_000));
const contentType = fc.constantFrom(
  'application/json',
  'application/json; charset=utf-16',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'nonsense',
);

function requestsFor({ path, parameters, body }: Operation, schemas: Schemas): fc.Arbitrary<FuzzedRequest> {
  const value = fc.oneof(
    anyText,
    fc.integer().map(String),
    fc.constantFrom('1', '2', 'rules', 'evaluate_rules', 'x'),
  );
  // A wait is the one parameter that makes a request slow on purpose.
  const query = parameters.filter((each) => each.in === 'query' && each.name !== 'wait');
  const places = fc.record({
    segments: fc.array(value, { minLength: 4, maxLength: 4 }),
    query: fc.array(fc.tuple(fc.constantFrom(...query.map(({ name }) => name), 'x'), value), {
      maxLength: 4,
    }),
    headers: fc.dictionary(
      fc.constantFrom(
        'idempotency-key',
        'stratum-tenant',
        'last-event-id',
        'content-encoding',
        'accept',
        'x-forwarded-for',
        'x-hub-signature-256',
        'stripe-signature',
      ),
      headerText,
      { maxKeys: 3 },
    ),
    type: contentType,
    body:
      body === undefined
        ? fc.option(anyJson, { nil: undefined })
        : fc.oneof({ arbitrary: fromSchema(body, schemas), weight: 4 }, { arbitrary: anyJson, weight: 1 }),
    broken: fc.option(fc.uint8Array({ maxLength: 200 }), { nil: undefined, freq: 8 }),
  });
  return places.map((made) => {
    let index = 0;
    const filled = path.replaceAll(
      /\{[^}]+\}/g,
      () => encodeURIComponent(wellFormed(made.segments[index++] ?? '')) || 'x',
    );
    const search = new URLSearchParams(
      made.query.map(([key, text]): [string, string] => [key, wellFormed(text)]),
    ).toString();
    return {
      path: search === '' ? filled : `${filled}?${search}`,
      headers: { ...made.headers, 'content-type': made.type },
      body: made.broken ?? (made.body === undefined ? undefined : JSON.stringify(made.body)),
    };
  });
}

/** Without half surrogates: those have no UTF-8. */
function wellFormed(text: string): string {
  return Buffer.from(text).toString('utf8');
}

async function statusOf(api: Api, method: string, fuzzed: FuzzedRequest, key: string): Promise<number> {
  const sent = request(new URL(api.url), {
    method,
    path: fuzzed.path.slice(0, 12_000),
    timeout: TIMEOUT_MS,
    headers: {
      ...fuzzed.headers,
      authorization: `Bearer ${key}`,
      ...(fuzzed.body === undefined ? {} : { 'content-length': Buffer.byteLength(fuzzed.body) }),
    },
  });
  sent.on('timeout', () => sent.destroy(new Error('no answer in time')));
  sent.end(fuzzed.body);
  const [response] = await once(sent, 'response');
  response.resume();
  await once(response, 'end');
  return response.statusCode;
}

describe('random requests', () => {
  test('to every route are answered, and never with a 5xx', { timeout: 300_000 }, async () => {
    const api = await openApi({ API_RATE_LIMIT: '1000000', API_FAILED_KEYS_LIMIT: '1000000' });
    const { operations, schemas } = await describeApi(api);
    expect(operations.length).toBeGreaterThan(40);
    for (const operation of operations) {
      const route = `${operation.method} ${operation.path}`;
      await fc.assert(
        fc.asyncProperty(
          requestsFor(operation, schemas),
          fc.constantFrom(api.keys.tenant, api.keys.platform),
          async (fuzzed, key) => {
            const status = await statusOf(api, operation.method, fuzzed, key);
            expect(status, route).toBeGreaterThanOrEqual(200);
            if (operation.path !== '/readyz') expect(status, route).toBeLessThan(500);
          },
        ),
        { numRuns: RUNS },
      );
    }
    expect(await api.call('GET', '/readyz', { key: null })).toMatchObject({ status: 200 });
  });

  test('that are not even HTTP do not disturb others', async () => {
    const api = await openApi();
    const { hostname, port } = new URL(api.url);
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ minLength: 1, maxLength: 500 }),
          fc.constantFrom(
            'GET / HTTP/1.1\r\n\r\n',
            'GET /v1/tasks HTTP/9.9\r\nHost: x\r\n\r\n',
            'POST /v1/tasks/evaluate_rules HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
            'POST /v1/keys HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
            `GET /${'a'.repeat(70_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
            `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`,
          ),
        ),
        async (bytes) => {
          const socket = connect(Number(port), hostname);
          socket.on('error', () => undefined);
          await once(socket, 'connect');
          socket.end(bytes);
          socket.resume();
          await once(socket, 'close');
          expect(await api.call('GET', '/healthz', { key: null })).toMatchObject({ status: 200 });
        },
      ),
      { numRuns: 60 },
    );
  });
});
