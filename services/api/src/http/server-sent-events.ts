/** Server-sent events (WHATWG HTML, section 9.2) that a client can pick up again. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** A comment so often keeps proxies from taking the connection for dead. */
const KEEP_ALIVE_MS = 15_000;
/** How long a client waits before it comes back, in milliseconds. */
const RETRY_MS = 1_000;

/**
 * Sends each item until there are no more, or the client is gone. An event's id comes from what it says, so a client that comes back
 * with `Last-Event-ID` to any process does not receive an event twice. One that has stopped reading is cut off: it would keep its place
 * for ever.
 */
export async function sendEvents(
  request: FastifyRequest,
  reply: FastifyReply,
  {
    name,
    items,
    signal,
    keepAliveMs = KEEP_ALIVE_MS,
  }: { name: string; items: AsyncIterable<unknown>; signal: AbortSignal; keepAliveMs?: number },
): Promise<void> {
  const seen = request.headers['last-event-id'];
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    'request-id': request.id,
  });
  raw.write(`retry: ${RETRY_MS}\n\n`);
  // Whether the client has taken anything since the last look.
  let isRead = true;
  raw.on('drain', () => (isRead = true));
  const keepAlive = setInterval(() => {
    if (raw.writableLength === 0) raw.write(': keep-alive\n\n');
    else if (isRead) isRead = false;
    else raw.destroy();
  }, keepAliveMs);
  // Data still unread after the last event count, too.
  raw.once('close', () => clearInterval(keepAlive));
  try {
    for await (const item of items) {
      const data = JSON.stringify(item);
      const id = createHash('sha256').update(data).digest('base64url').slice(0, 22);
      if (id === seen) continue;
      const flushed = raw.write(`id: ${id}\nevent: ${name}\ndata: ${data}\n\n`);
      if (!flushed) await once(raw, 'drain', { signal });
    }
  } catch (error) {
    if (!signal.aborted) request.log.error({ err: error }, 'event stream failed');
  } finally {
    raw.end();
  }
}
