/** Sends customer events as fast as they are taken, as a server of a busy shop would; a process of its own, so that it shares no event loop. */
import { Agent, request } from 'node:http';
import { z } from 'zod';
import { eventOf } from './ingest-workload.js';

const [url = '', writeKey = '', from = '0', to = '0', perBatch = '100', connections = '8'] =
  process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: Number(connections) });
const acceptedSchema = z.object({ success: z.literal(true), errors: z.array(z.unknown()).optional() });

let next = Number(from);
let accepted = 0;
let repeated = 0;

async function send(batch: readonly unknown[]): Promise<void> {
  const body = JSON.stringify({ batch, sentAt: new Date().toISOString() });
  for (;;) {
    const { status, text } = await post(body);
    if (status === 200) {
      accepted += batch.length - (acceptedSchema.parse(JSON.parse(text)).errors?.length ?? 0);
      return;
    }
    if (status !== 429 && status !== 503) throw new Error(`${status}: ${text}`);
    repeated++;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function post(body: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `${url}/v1/batch`,
      {
        method: 'POST',
        agent,
        auth: `${writeKey}:`,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const startedAt = performance.now();
await Promise.all(
  Array.from({ length: Number(connections) }, async () => {
    while (next < Number(to)) {
      const first = next;
      next = Math.min(Number(to), first + Number(perBatch));
      await send(Array.from({ length: next - first }, (_, index) => eventOf(first + index)));
    }
  }),
);
process.send?.({ accepted, repeated, seconds: (performance.now() - startedAt) / 1000 });
agent.destroy();
process.disconnect();
