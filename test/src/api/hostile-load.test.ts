/**
 * Hostile requests of each kind beside honest ones: the API as a process of its own. `npm run test:hostile` is the long form, which also
 * compares latencies.
 */
import { fork } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { freePort, spawnProgram } from '../harness/index.js';
import { openEventsApi } from './customer-events/fixture.js';
import { TENANT } from './fixture.js';

const LONG_FORM = process.env['HOSTILE_REQUESTS'];
/** Of each kind. */
const REQUESTS = Number(LONG_FORM ?? 40);
const AT_ONCE = 24;
/** Of connections that send nothing more. */
const SILENT_AT_ONCE = 128;
/** A kind ends after this time, however many of its requests were sent. */
const KIND_MS = 45_000;
const HONEST_ALONE = LONG_FORM === undefined ? 20 : 2_000;
const HONEST_AT_ONCE = 4;
const MAX_RSS_BYTES = 1_073_741_824;
const UNAVAILABLE = 503;
const RETRY_MS = 1_000;

interface Sent {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
}

/** Whole requests, or bytes as they are. */
type Hostile = (Sent & { url: string }) | { port: number; text: string };

/** As senders do: a broker on a busy machine may take longer than the API waits for it. */
async function patiently(ask: () => Promise<number>): Promise<number> {
  for (let left = 2; ; left--) {
    const status = await ask();
    if (status !== UNAVAILABLE || left === 0) return status;
    await delay(RETRY_MS);
  }
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
    let peak = 0;
    /** Sends honest requests as long as asked to. Returns how long each took, in milliseconds. */
    const honestWhile = async (isWanted: (sent: number) => boolean): Promise<number[]> => {
      const times: number[] = [];
      let sent = 0;
      const loop = async (): Promise<void> => {
        while (isWanted(sent)) times.push(await honest(sent++));
        peak = Math.max(peak, await rssOf(service.pid));
      };
      await Promise.all(Array.from({ length: HONEST_AT_ONCE }, loop));
      return times;
    };
    const alone = await honestWhile((sent) => sent < HONEST_ALONE);

    const bomb = gzipSync(`{"batch":[${'{},'.repeat(170_000)}{}]}`);
    const keys = `{${Array.from({ length: 60_000 }, (_, index) => `"k${index}":1`).join(',')}}`;
    const nested = `{"chain":${'['.repeat(400_000)}`;
    const same = `{"chain":[${'{"task":"a","payload":{"a":1},"b":1},'.repeat(20_000)}{}]}`;
    const members = `{"group":[${'{"task":"nobody"},'.repeat(20_000)}{"task":"nobody"}]}`;
    const large = 'x'.repeat(300_000);
    const whole = (path: string, headers: Record<string, string>, body: string | Uint8Array): Hostile => ({
      method: 'POST',
      path,
      url: `${base}${path}`,
      headers,
      body,
    });
    // A flood of one kind must not have used up the allowance of the next.
    const ownKey = async (): Promise<Record<string, string>> => ({
      authorization: `Bearer ${(await api.createKey(TENANT)).text}`,
    });
    const raw = (text: string, to = port): Hostile => ({ port: to, text });
    const KINDS: Record<string, Hostile> = {
      bomb: whole('/v1/batch', { ...write, 'content-encoding': 'gzip' }, bomb),
      keys: whole('/v1/workflows', { ...(await ownKey()), ...json }, keys),
      'same keys': whole('/v1/workflows', { ...(await ownKey()), ...json }, same),
      nested: whole('/v1/workflows', { ...(await ownKey()), ...json }, nested),
      members: whole('/v1/workflows', { ...(await ownKey()), ...json }, members),
      'no key': whole('/v1/workflows', json, large),
      'no address': whole(`/webhooks/github/${'a'.repeat(24)}`, {}, large),
      announced: raw(`${head('/v1/track')}{`),
      'half sent': raw(`${head('/v1/batch')}${large}`),
      'half a head': raw('GET /v1/tasks HTTP/1.1\r\nHost: x\r\n'),
      'odd target': raw('GET // HTTP/1.1\r\nHost: x\r\n\r\n'),
      metrics: raw('GET // HTTP/1.1\r\nHost: x\r\n\r\n', metricsPort),
      host: raw(`GET /v1/projects/${api.writeKey}/settings HTTP/1.1\r\nHost: [::\r\n\r\n`),
    };
    // A process of its own, which gives way to the others: who attacks computes elsewhere.
    const sender = fork(new URL('./hostile-sender.mjs', import.meta.url), { serialization: 'advanced' });
    onTestFinished(() => void sender.kill());
    const flood = async (request: Hostile): Promise<unknown> => {
      const atOnce = 'text' in request ? SILENT_AT_ONCE : AT_ONCE;
      sender.send({ request, times: REQUESTS, atOnce, endAt: Date.now() + KIND_MS });
      const [report]: unknown[] = await once(sender, 'message');
      return report;
    };
    // At once: a run takes minutes, and one that is cut short has shown something.
    const print = async (name: string, values: readonly number[], more: unknown): Promise<void> => {
      if (LONG_FORM === undefined) return;
      const rss = Math.round((await rssOf(service.pid)) / 1_048_576);
      const peakMb = Math.round(peak / 1_048_576);
      process.stdout.write(
        `${name}: ${JSON.stringify({ honest: figuresOf(values), rss_mb: rss, peak_mb: peakMb, hostile: more })}\n`,
      );
    };
    await print('alone', alone, undefined);
    for (const [name, request] of Object.entries(KINDS)) {
      let isOver = false;
      const load = flood(request).finally(() => (isOver = true));
      const beside = await honestWhile(() => !isOver);
      await print(`beside ${name}`, beside, await load);
    }
    expect(service.hasEnded(), service.output()).toBe(false);
    expect(wrong).toEqual([]);
    expect(peak).toBeGreaterThan(0);
    expect(peak).toBeLessThan(MAX_RSS_BYTES);
  },
);

function figuresOf(values: readonly number[]): Record<string, number> {
  const round = (value: number): number => Math.round(value * 10) / 10;
  return {
    requests: values.length,
    p50_ms: round(percentile(values, 0.5)),
    p99_ms: round(percentile(values, 0.99)),
  };
}

async function rssOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1_024;
}
