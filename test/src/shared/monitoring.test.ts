/** The address of each service's metrics and health: anybody on the network may reach it. */
import { connect } from 'node:net';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { startMonitoring, type MonitoringServer } from '@stratum/shared';
import { Registry } from 'prom-client';
import { expect, onTestFinished, test } from 'vitest';
import { testNamespace, waitFor } from '../harness/index.js';

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
