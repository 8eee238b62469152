/** The address of each service's metrics and health: anybody on the network may reach it. */
import { connect } from 'node:net';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { loadConfiguration, platformTopology, TOPOLOGY_SETTINGS } from '@stratum/shared';
import { startMonitoring, type MonitoringServer } from '@stratum/shared/service';
import { connectToNats, createClient, reconcileTopology } from '@stratum/jobs';
import { collectQueueMetrics } from '@stratum/jobs/metrics';
import { Gauge, Registry } from 'prom-client';
import { expect, onTestFinished, test } from 'vitest';
import { tcpProxy, testNamespace, waitFor } from '../harness/index.js';

async function open(options: { host?: string } = {}): Promise<MonitoringServer> {
  const { connection } = await testNamespace();
  const server = await startMonitoring({ port: 0, registry: new Registry(), connection, ...options });
  onTestFinished(() => server.stop());
  return server;
}

/** Sends bytes, and resolves with the answer once the connection has ended. */
async function answerTo(port: number, text: string, host = '127.0.0.1'): Promise<string> {
  const socket = connect(port, host);
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
  socket.write(text);
  // A reset after the answer takes nothing from it.
  await once(socket, 'close').catch((error: NodeJS.ErrnoException) => (answer ||= error.code ?? ''));
  return answer;
}

const request = (target: string, head = ''): string =>
  `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${head}\r\n`;

test('no target of a request ends the service', async () => {
  const { port } = await open();
  for (const target of ['//', '///', '//[', 'http://', '/\\', '*', '//:99999', '/%', '?', '#', '/\x7f'])
    expect(await answerTo(port, request(target)), target).toMatch(/^HTTP\/1.1 40[04] /);
  expect(await answerTo(port, request('/metrics', `X: ${'x'.repeat(100_000)}\r\n`))).toMatch(/ 431 /);
  expect(await answerTo(port, 'POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n')).toMatch(
    / 405 /,
  );
  for (const path of ['/healthz', '/readyz', '/metrics?name=x'])
    expect(await answerTo(port, request(path)), path).toMatch(/ 200 /);
});

test('only this machine is answered, unless METRICS_HOST says otherwise', async () => {
  const outside = Object.values(networkInterfaces())
    .flat()
    .find((each) => each?.internal === false && each.family === 'IPv4')?.address;
  const own = await open();
  expect(await answerTo(own.port, request('/healthz'))).toMatch(/ 200 /);
  if (outside === undefined) return;
  expect(await answerTo(own.port, request('/healthz'), outside)).toBe('ECONNREFUSED');
  const everywhere = await open({ host: '0.0.0.0' });
  expect(await answerTo(everywhere.port, request('/healthz'), outside)).toMatch(/ 200 /);
});

test('connections that send nothing give way to one that asks', async () => {
  const { port } = await open();
  const sockets = Array.from({ length: 200 }, () => connect(port, '127.0.0.1'));
  onTestFinished(() => sockets.forEach((socket) => socket.destroy()));
  let ended = 0;
  for (const socket of sockets) socket.on('error', () => undefined).on('close', () => ended++);
  await waitFor('the limit to end some', () => ended >= 100);
  expect(await answerTo(port, request('/healthz'))).toMatch(/ 200 /);
});

test('a metric that cannot be read is left out and counted, and fails no scrape', async () => {
  const { connection } = await testNamespace();
  const registry = new Registry();
  const gauge = (name: string, collect: () => Promise<void>): Gauge =>
    new Gauge({ name, help: name, registers: [registry], collect });
  gauge('test_throws', () => Promise.reject(new Error('away')));
  gauge('test_hangs', () => new Promise(() => undefined));
  new Gauge({ name: 'test_fine', help: 'fine', registers: [registry] }).set(7);
  const server = await startMonitoring({ port: 0, registry, connection });
  onTestFinished(() => server.stop());
  const answer = await answerTo(server.port, request('/metrics'));
  expect(answer).toMatch(/ 200 /);
  expect(answer).toMatch(/^test_fine 7$/m);
  expect(answer).not.toMatch(/test_throws|test_hangs/);
  expect(answer).toMatch(/^stratum_metrics_left_out 2$/m);
});

test('while NATS is away, queues have no figures, and everything else has', async () => {
  const { natsUrl, prefix } = await testNamespace();
  const proxy = await tcpProxy(natsUrl);
  const connection = await connectToNats({ servers: proxy.url, name: 'test' });
  const topology = platformTopology(loadConfiguration(TOPOLOGY_SETTINGS, { STRATUM_PREFIX: prefix }));
  const client = createClient({ connection, topology });
  onTestFinished(async () => {
    await client.close();
    await connection.close();
  });
  await reconcileTopology(connection, topology);
  const registry = new Registry();
  collectQueueMetrics(client, registry);
  const server = await startMonitoring({ port: 0, registry, connection });
  onTestFinished(() => server.stop());
  const scrape = (): Promise<string> => answerTo(server.port, request('/metrics'));
  const figures = /^stratum_(?:queue_tasks|queue_paused|queue_oldest_seconds|workers)\{/m;
  const before = await scrape();
  for (const name of ['queue_tasks', 'queue_paused', 'queue_oldest_seconds', 'workers'])
    expect(before).toMatch(new RegExp(`^stratum_${name}\\{`, 'm'));
  expect(before).toMatch(/^stratum_jetstream_up 1$/m);
  proxy.cut();
  const during = await scrape();
  expect(during).toMatch(/ 200 /);
  expect(during).not.toMatch(figures);
  expect(during).toMatch(/^stratum_jetstream_up 0$/m);
  expect(during).toMatch(/^stratum_metrics_left_out 0$/m);
});
