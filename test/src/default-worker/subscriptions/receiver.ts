/** A real receiver on this machine, for one test. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';

export interface Received {
  headers: IncomingHttpHeaders;
  body: string;
  at: number;
}

/** What a request is answered with: a status, or whatever the function does. */
export type Answer = number | ((response: ServerResponse) => void);

export interface TestReceiver {
  readonly url: string;
  /** `127.0.0.1:<port>`. */
  readonly host: string;
  readonly received: Received[];
  /** The next answers, in turn; the last one stays. */
  answer(...answers: Answer[]): void;
  /** The ids in the order in which they came. */
  ids(): string[];
}

export async function openReceiver(...answers: Answer[]): Promise<TestReceiver> {
  const received: Received[] = [];
  let plan = answers;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const one = { headers: request.headers, body: Buffer.concat(chunks).toString('utf8'), at: Date.now() };
      received.push(one);
      const [next = 204] = plan;
      if (plan.length > 1) plan = plan.slice(1);
      if (typeof next === 'number') response.writeHead(next).end(`status ${next}`);
      else next(response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The receiver listens on no port.');
  const host = `127.0.0.1:${address.port}`;
  return {
    url: `http://${host}/hook`,
    host,
    received,
    answer: (...next) => {
      plan = next;
    },
    ids: () => received.map(({ headers }) => String(headers['webhook-id'])),
  };
}
