/** One stream of server-sent events for each browser: what has changed, at most four times in a second. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { viewerOf } from '../http/guard.js';
import type { DashboardResources } from '../http/types.js';
import { visibleTo } from './visible.js';

const KEEP_ALIVE_MS = 15_000;
/** A session that ends takes its streams with it. */
const CHECK_SESSION_MS = 5_000;
const RETRY_MS = 1_000;

/** A client that is slow gets the newest state when it can take one; nothing queues up for it. */
export function followSnapshots(
  request: FastifyRequest,
  reply: FastifyReply,
  { snapshots, sessions }: Pick<DashboardResources, 'snapshots' | 'sessions'>,
): void {
  const viewer = viewerOf(request);
  reply.hijack();
  const { raw } = reply;
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) raw.setHeader(name, value);
  raw.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' });
  raw.write(`retry: ${RETRY_MS}\n\n`);
  let isFree = true;
  const send = (): void => {
    if (!isFree) return;
    isFree = raw.write(`event: snapshot\ndata: ${JSON.stringify(visibleTo(viewer, snapshots.current))}\n\n`);
  };
  raw.on('drain', () => {
    isFree = true;
    send();
  });
  const unsubscribe = snapshots.subscribe(send);
  const keepAlive = setInterval(() => raw.write(': keep-alive\n\n'), KEEP_ALIVE_MS);
  const check = setInterval(() => {
    sessions
      .isOpen(viewer.sessionId)
      // The database cannot be asked: the stream shows what its snapshots say of that.
      .then((isOpen) => (isOpen ? undefined : raw.end()))
      .catch(() => undefined);
  }, CHECK_SESSION_MS);
  const forget = sessions.onClose(viewer.sessionId, () => raw.end());
  const stop = (): void => {
    unsubscribe();
    forget();
    clearInterval(keepAlive);
    clearInterval(check);
  };
  raw.once('close', stop);
  send();
}
