/** What programs outside of the platform's account can take of the server itself: connections and subscriptions. */
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { securedServer, type SecuredServer, type User } from '../harness/secured-server.js';

const SHIPPED = new URL('../../../deploy/nats/', import.meta.url);
const LIMITS = /^ {2}limits \{ max_connections: (\d+), max_subscriptions: (\d+) \}$/m;

async function limitsOf(file: string): Promise<{ connections: number; subscriptions: number }> {
  const [, connections, subscriptions] = LIMITS.exec(await readFile(new URL(file, SHIPPED), 'utf8')) ?? [];
  return { connections: Number(connections), subscriptions: Number(subscriptions) };
}

interface RawClient {
  socket: Socket;
  /** What the server has said. */
  heard: () => string;
}

/** A client that obeys nobody: it sends what it likes, and neither retries nor gives up. */
async function rawClient(server: SecuredServer, user: User, lines = ''): Promise<RawClient> {
  const [host, port] = server.address.split(':');
  const socket = connect(Number(port), host);
  onTestFinished(() => void socket.destroy());
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const login = { user, pass: server.passwords[user], verbose: false, lang: 'raw', version: '1' };
  socket.write(`CONNECT ${JSON.stringify(login)}\r\nPING\r\n${lines}`);
  const heard = (): string => text;
  await waitFor('the answer of the server', () => /^(PONG|-ERR)/m.test(text));
  return { socket, heard };
}

test('every account outside of the platform has its limits', async () => {
  const producers = await readdir(new URL('producers', SHIPPED));
  expect(producers).not.toEqual([]);
  expect(await limitsOf('observer.conf')).toEqual({ connections: 64, subscriptions: 100 });
  for (const name of producers)
    expect(await limitsOf(`producers/${name}`), name).toEqual({ connections: 32, subscriptions: 100 });
});

test.each([
  ['shop', 'producers/shop.conf'],
  ['observer', 'observer.conf'],
] as const)(
  'the %s opens no more connections than its account has, and others notice nothing',
  async (user, file) => {
    const server = await securedServer();
    const { connections } = await limitsOf(file);
    const own = await Promise.all(Array.from({ length: connections }, () => rawClient(server, user)));
    for (const { heard } of own) expect(heard()).not.toContain('-ERR');
    const further = await Promise.all(Array.from({ length: 20 }, () => rawClient(server, user)));
    for (const { heard } of further)
      expect(heard()).toContain("-ERR 'maximum account active connections exceeded'");
    for (const other of ['platform', 'api', user === 'shop' ? 'observer' : 'shop'] as const)
      await expect((await server.connectAs(other)).flush()).resolves.toBeUndefined();
    await expect((await server.connectAsCrm()).flush()).resolves.toBeUndefined();
    // A place that becomes free is there for the next.
    own[0]?.socket.destroy();
    await waitFor('a place', async () => !(await rawClient(server, user)).heard().includes('-ERR'));
  },
);

test('a connection of a producer has no more subscriptions than its account allows', async () => {
  const server = await securedServer();
  const { subscriptions } = await limitsOf('producers/shop.conf');
  const subscribed = Array.from({ length: subscriptions + 50 }, (_, index) => `SUB own ${index + 1}\r\n`);
  const { heard } = await rawClient(server, 'shop', `${subscribed.join('')}PUB own 1\r\nx\r\nPING\r\n`);
  await waitFor('both answers', () => heard().match(/^PONG/gm)?.length === 2);
  expect(heard().match(/^-ERR 'maximum subscriptions exceeded'/gm)).toHaveLength(50);
  expect(heard().match(/^MSG own /gm)).toHaveLength(subscriptions);
});
