/** The receiver of docs/operate/subscriptions.md; `guide-examples.test.ts` sends to it as the platform does. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';

type Enqueue = (id: string | undefined, event: unknown) => void;

export function createReceiver(secret: string, enqueue: Enqueue): Server {
  return createServer((request, response) => {
    receive(secret, enqueue, request, response).catch(() => response.writeHead(401).end());
  });
}

async function receive(
  secret: string,
  enqueue: Enqueue,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await buffer(request);
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
  );
  const event = new Webhook(secret).verify(body, headers); // throws when the signature is wrong
  enqueue(headers['webhook-id'], event);
  response.writeHead(204).end();
}
