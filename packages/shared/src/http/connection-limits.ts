/**
 * Connections to a server, bounded in total and by address. At a limit a newcomer is let in and an idle connection ends: an honest client
 * sends at once, so it is the one that opened connections and sends nothing that loses them.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { clientOf } from './client-address.js';

export interface ConnectionLimits {
  total: number;
  perAddress: number;
  /** Addresses with no limit of their own, such as a proxy that many clients share. */
  isShared?: (address: string) => boolean;
}

/** Connections of one address, the longest in their state first. */
interface Connections {
  /** Without a whole request so far. */
  fresh: Set<Socket>;
  /** Between requests. */
  idle: Set<Socket>;
  /** Waiting for an answer. */
  busy: Set<Socket>;
}

export function limitConnections(
  server: Server,
  { total, perAddress, isShared = () => false }: ConnectionLimits,
): void {
  const addresses = new Map<string, Connections>();
  const ownerOf = new WeakMap<Socket, Connections>();
  let open = 0;
  server.on('connection', (socket: Socket) => {
    const remote = socket.remoteAddress;
    if (remote === undefined) return void socket.destroy();
    const address = clientOf(remote);
    const own = addresses.get(address) ?? { fresh: new Set(), idle: new Set(), busy: new Set() };
    addresses.set(address, own);
    ownerOf.set(socket, own);
    open++;
    own.fresh.add(socket);
    socket.once('close', () => {
      open--;
      remove(own, socket);
      if (sizeOf(own) === 0) addresses.delete(address);
    });
    if (sizeOf(own) > perAddress && !isShared(remote)) endOne(own, socket);
    else if (open > total) endOne(largest(addresses.values()) ?? own, socket);
  });
  server.on('request', (request, response) => {
    const { socket } = request;
    const own = ownerOf.get(socket);
    if (own === undefined) return;
    const wait = (): void => {
      if (!response.writableFinished && !socket.destroyed) move(own, socket, 'busy');
    };
    // A body that is still on its way is as good as nothing: only a whole request makes a connection busy.
    const { 'content-length': length = '0', 'transfer-encoding': coding } = request.headers;
    if (coding === undefined && Number(length) === 0) wait();
    else request.once('end', wait);
    response.once('close', () => {
      if (!socket.destroyed) move(own, socket, 'idle');
    });
  });
}

function endOne({ fresh, idle }: Connections, newcomer: Socket): void {
  const [oldest] = fresh.size > (fresh.has(newcomer) ? 1 : 0) || idle.size === 0 ? fresh : idle;
  (oldest ?? newcomer).destroy();
}

function move(own: Connections, socket: Socket, to: keyof Connections): void {
  remove(own, socket);
  own[to].add(socket);
}

function remove({ fresh, idle, busy }: Connections, socket: Socket): void {
  fresh.delete(socket);
  idle.delete(socket);
  busy.delete(socket);
}

function sizeOf({ fresh, idle, busy }: Connections): number {
  return fresh.size + idle.size + busy.size;
}

/** Of the address that has the most. Sought at the limit alone. */
function largest(all: Iterable<Connections>): Connections | undefined {
  let found: Connections | undefined;
  for (const each of all) if (found === undefined || sizeOf(each) > sizeOf(found)) found = each;
  return found;
}
