/** Stands between a client and a server, and cuts the network when told to. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface TcpProxy {
  /** Of the same scheme as the target's, with the proxy's address. */
  readonly url: string;
  /** From now on nothing passes, in either direction, and nobody is told: packets just vanish. */
  cut(): void;
  /** Lets new connections through. Those that were cut stay dead, as after a real cut with lost state. */
  heal(): void;
}

export async function tcpProxy(target: string): Promise<TcpProxy> {
  const { protocol, hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let open = true;
  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
  };
  const server = createServer((near) => {
    track(near);
    if (!open) return;
    const far = connect(Number(port), hostname);
    track(far);
    near.pipe(far);
    far.pipe(near);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The proxy listens on no port.');
  return {
    url: `${protocol}//127.0.0.1:${address.port}`,
    cut: () => {
      open = false;
      for (const socket of sockets) socket.unpipe().pause();
    },
    heal: () => {
      open = true;
      for (const socket of sockets) socket.destroy();
    },
  };
}
