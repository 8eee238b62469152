/** Stands between a client and a server, and cuts the network when told to. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface TcpProxy {
  /** Of the same scheme as the target's, with the proxy's address. */
  readonly url: string;
  /** From now on nothing passes, in either direction, and nobody is told: packets just vanish. */
  cut(): void;
  /** From now on everything takes so much longer, in each direction, in milliseconds. */
  slow(latencyMs: number): void;
  /** The next bytes of any connection arrive by half, and then every connection ends. New ones pass. */
  tear(): void;
  /** Lets new connections through. Those that were cut stay dead, as after a real cut with lost state. */
  heal(): void;
  /** Ends every connection; new ones go to another target. */
  redirect(target: string): void;
  /** Ends every connection, and takes no more. */
  close(): void;
}

/** One that the test's end closes. */
export async function tcpProxy(target: string): Promise<TcpProxy> {
  const proxy = await startProxy(target);
  onTestFinished(() => proxy.close());
  return proxy;
}

export async function startProxy(target: string): Promise<TcpProxy> {
  const { protocol } = new URL(target);
  let { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let open = true;
  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
  };
  let latencyMs = 0;
  let isTorn = false;
  const forward = (from: Socket, to: Socket): void => {
    from.on('data', (chunk: Buffer) => {
      if (isTorn) {
        isTorn = false;
        to.write(chunk.subarray(0, Math.floor(chunk.length / 2)), () => {
          for (const socket of sockets) socket.destroy();
        });
        return;
      }
      // Timers of the same length fire in the order they were set.
      if (latencyMs === 0) to.write(chunk);
      else setTimeout(() => open && !to.destroyed && to.write(chunk), latencyMs);
    });
  };
  const server = createServer((near) => {
    track(near);
    if (!open) return;
    const far = connect(Number(port), hostname);
    track(far);
    forward(near, far);
    forward(far, near);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The proxy listens on no port.');
  return {
    url: `${protocol}//127.0.0.1:${address.port}`,
    cut: () => {
      open = false;
      for (const socket of sockets) socket.removeAllListeners('data').pause();
    },
    slow: (milliseconds) => {
      latencyMs = milliseconds;
    },
    tear: () => {
      isTorn = true;
    },
    heal: () => {
      open = true;
      for (const socket of sockets) socket.destroy();
    },
    redirect: (other) => {
      ({ hostname, port } = new URL(other));
      for (const socket of sockets) socket.destroy();
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
