import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connectToNats } from './connect.js';

describe('a connection that fails', () => {
  test('names the address and never the password', async () => {
    const error: unknown = await connectToNats({
      servers: 'nats://user:hunter2@127.0.0.1:1',
      name: 'test',
      timeoutMs: 1_000,
    }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'connection_failed' });
    expect(String(error)).toContain('127.0.0.1:1');
    expect(String(error)).not.toContain('hunter2');
  });

  test('says which credentials file is missing', async () => {
    await expect(
      connectToNats({ servers: 'nats://127.0.0.1:1', name: 'test', credsFile: '/nowhere/app.creds' }),
    ).rejects.toThrow('/nowhere/app.creds');
  });

  test.each<[string, (socket: Socket) => void, RegExp]>([
    ['ends the connection', (socket) => socket.end(), /the server ended the connection at once/],
    ['speaks HTTP', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), /unexpected response/],
    ['tells nothing readable', (socket) => socket.write('INFO {nothing}\r\n'), /unexpected response/],
    ['resets the connection', (socket) => socket.resetAndDestroy(), /ECONNRESET/],
    ['says nothing', () => undefined, /timeout/],
  ])('says that another server %s', async (_label, answer, said) => {
    const server = createServer(answer).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const connecting = connectToNats({ servers: `nats://127.0.0.1:${port}`, name: 'test', timeoutMs: 500 });
    await expect(connecting).rejects.toThrow(said);
  });
});
