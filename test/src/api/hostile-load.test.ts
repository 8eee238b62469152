/**
 * Hostile requests of each kind beside honest ones: the API as a process of its own. `npm run test:hostile` is the long form, which also
 * compares latencies.
 */
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { freePort, spawnProgram } from '../harness/index.js';
import { openEventsApi } from './customer-events/fixture.js';

const LONG_FORM = process.env['HOSTILE_REQUESTS'];
/** Of each kind. */
const REQUESTS = Number(LONG_FORM ?? 60);
const AT_ONCE = 24;
const HONEST_ALONE = LONG_FORM === undefined ? 50 : 1_000;
const MAX_RSS_BYTES = 1_073_741_824;
const UNAVAILABLE = 503;
const RETRY_MS = 1_000;

interface Sent {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
}

type Kind = () => Promise<unknown>;

/** Waits for each, whatever comes of it. */
async function repeat(kind: Kind, times: number): Promise<void> {
  let left = times;
  const one = async (): Promise<void> => {
    while (left-- > 0) await kind().catch(() => undefined);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

/** As senders do: a broker on a busy machine may take longer than the API waits for it. */
async function patiently(ask: () => Promise<number>): Promise<number> {
  for (let left = 2; ; left--) {
    const status = await ask();
    if (status !== UNAVAILABLE || left === 0) return status;
    await delay(RETRY_MS);
  }
}

/** Bytes as they are, and the end of the connection after the answer, or when it has been silent for a while. */
function raw(port: number, text: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.setTimeout(250, () => socket.destroy());
    socket.on('error', () => undefined).on('data', () => socket.destroy());
    socket.once('close', () => resolve());
    socket.write(text);
  });
}

function percentile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN;
}

const head = (path: string, headers = ''): string =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 400000\r\n${headers}\r\n`;

test(
  'hostile requests of each kind end no process, fill no memory and refuse no honest request',
  { timeout: LONG_FORM === undefined ? 120_000 : 3_600_000 },
  async () => {
    const api = await openEventsApi();
    const [port, metricsPort] = [await freePort(), await freePort()];
    const service = spawnProgram('services/api/dist/main.js', {
      NATS_URL: api.natsUrl,
      STRATUM_PREFIX: api.prefix,
      DATABASE_URL: api.database.url,
      STRATUM_CREDENTIALS_KEY: api.keyText,
      API_PORT: String(port),
      METRICS_PORT: String(metricsPort),
      LOG_LEVEL: 'fatal',
    });
    await service.ready();
    const base = `http://127.0.0.1:${port}`;
    const send = async ({ method, path, headers = {}, body }: Sent): Promise<number> => {
      const response = await fetch(`${base}${path}`, {
        method,
        headers,
        ...(body === undefined ? {} : { body }),
      });
      await response.arrayBuffer();
      return response.status;
    };
    const made = await api.call('POST', '/v1/webhooks', { body: { source: 'github', name: 'Deploys' } });
    const hook = new URL(String(made.body['url'])).pathname;
    const json = { 'content-type': 'application/json' };
    const key = { authorization: `Bearer ${api.keys.tenant}` };
    const write = { authorization: `Basic ${Buffer.from(`${api.writeKey}:`).toString('base64')}` };
    const event = JSON.stringify({ event: 'Seen', userId: 'u-1' });
    const push = JSON.stringify({ ref: 'refs/heads/main' });
    const signature = createHmac('sha256', String(made.body['secret'])).update(push).digest('hex');
    const HONEST: readonly Sent[] = [
      { method: 'GET', path: '/v1/tasks/unknown-id', headers: key },
      { method: 'POST', path: '/v1/track', headers: { ...json, ...write }, body: event },
      {
        method: 'POST',
        path: '/v1/t',
        body: JSON.stringify({ ...JSON.parse(event), writeKey: api.writeKey }),
      },
      {
        method: 'POST',
        path: hook,
        headers: { ...json, 'x-hub-signature-256': `sha256=${signature}` },
        body: push,
      },
      { method: 'GET', path: '/healthz' },
    ];
    const EXPECTED = [404, 200, 200, 200, 200];

    const wrong: string[] = [];
    const honest = async (index: number): Promise<number> => {
      const which = index % HONEST.length;
      const request = HONEST[which];
      if (request === undefined) return 0;
      const began = performance.now();
      const status = await patiently(() => send(request)).catch((error: unknown) => String(error));
      if (status !== EXPECTED[which]) wrong.push(`${request.path}: ${status}`);
      return performance.now() - began;
    };
    const alone: number[] = [];
    for (let index = 0; index < HONEST_ALONE; index++) alone.push(await honest(index));

    const bomb = gzipSync(`{"batch":[${'{},'.repeat(170_000)}{}]}`);
    const keys = `{${Array.from({ length: 60_000 }, (_, index) => `"k${index}":1`).join(',')}}`;
    const nested = `{"chain":${'['.repeat(400_000)}`;
    const large = 'x'.repeat(300_000);
    const KINDS: Record<string, Kind> = {
      bomb: () =>
        send({
          method: 'POST',
          path: '/v1/batch',
          headers: { ...write, 'content-encoding': 'gzip' },
          body: bomb,
        }),
      keys: () => send({ method: 'POST', path: '/v1/workflows', headers: { ...key, ...json }, body: keys }),
      nested: () =>
        send({ method: 'POST', path: '/v1/workflows', headers: { ...key, ...json }, body: nested }),
      'no key': () => send({ method: 'POST', path: '/v1/workflows', headers: json, body: large }),
      'no address': () => send({ method: 'POST', path: `/webhooks/github/${'a'.repeat(24)}`, body: large }),
      announced: () => raw(port, `${head('/v1/track')}{`),
      'half sent': () => raw(port, `${head('/v1/batch')}${large}`),
      'half a head': () => raw(port, 'GET /v1/tasks HTTP/1.1\r\nHost: x\r\n'),
      'odd target': () => raw(port, 'GET // HTTP/1.1\r\nHost: x\r\n\r\n'),
      metrics: () => raw(metricsPort, 'GET // HTTP/1.1\r\nHost: x\r\n\r\n'),
      host: () => raw(port, `GET /v1/projects/${api.writeKey}/settings HTTP/1.1\r\nHost: [::\r\n\r\n`),
    };
    // At once: a run takes minutes, and one that is cut short has shown something.
    const print = (name: string, values: readonly number[], rss: number): void => {
      if (LONG_FORM === undefined) return;
      const figures = { ...figuresOf(values), rss_mb: Math.round(rss / 1_048_576) };
      process.stdout.write(`${name}: ${JSON.stringify(figures)}\n`);
    };
    print('alone, ms', alone, await rssOf(service.pid));
    let peak = 0;
    for (const [name, kind] of Object.entries(KINDS)) {
      const beside: number[] = [];
      const end = new AbortController();
      const load = repeat(kind, REQUESTS).finally(() => end.abort());
      for (let index = 0; !end.signal.aborted; index++) {
        beside.push(await honest(index));
        peak = Math.max(peak, await rssOf(service.pid));
      }
      await load;
      print(`beside ${REQUESTS} × ${name}`, beside, peak);
    }
    expect(service.hasEnded(), service.output()).toBe(false);
    expect(wrong).toEqual([]);
    expect(peak).toBeGreaterThan(0);
    expect(peak).toBeLessThan(MAX_RSS_BYTES);
  },
);

function figuresOf(values: readonly number[]): Record<string, number> {
  const round = (value: number): number => Math.round(value * 10) / 10;
  return { count: values.length, p50: round(percentile(values, 0.5)), p99: round(percentile(values, 0.99)) };
}

async function rssOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1_024;
}
