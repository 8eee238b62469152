/** Milliseconds from enqueue to the stored result on an idle queue, one task at a time. Both sides listen for the result before they enqueue. */
import type { NatsConnection } from '@nats-io/transport-node';
import { compare, median, percentile, type Comparison } from './measure.js';
import { bareId, noop, type BareSetup, type Framework } from './subject.js';
import { storeEnd } from './tasks.js';

const COUNT = 1_500;

export interface LatencyComparison extends Comparison {
  /** The framework's 99th percentile, in milliseconds. */
  p99: number;
}

export async function benchLatency(
  connection: NatsConnection,
  framework: Framework,
  bare: BareSetup,
  rounds: number,
): Promise<LatencyComparison> {
  const worker = framework.worker(4);
  worker.start();
  const bareWorker = await startBareWorker(bare);
  const all: number[] = [];
  try {
    const comparison = await compare(
      rounds,
      async () => {
        const samples = await sample(async () => {
          await framework.client.call(noop, { n: 1 });
        });
        all.push(...samples);
        return median(samples);
      },
      async () => median(await sample((n) => askByHand(connection, bare, n))),
    );
    return { ...comparison, p99: percentile(all, 0.99) };
  } finally {
    bareWorker.stop();
    await worker.stop();
  }
}

async function sample(operation: (index: number) => Promise<void>): Promise<number[]> {
  const samples: number[] = [];
  for (let index = 0; index < COUNT; index++) {
    const startedAt = performance.now();
    await operation(index);
    samples.push(performance.now() - startedAt);
  }
  return samples;
}

async function startBareWorker(bare: BareSetup): Promise<{ stop(): void }> {
  const handle = await bare.consumer();
  const messages = await handle.consume({
    callback: (message) => void storeEnd(bare, message).then(() => message.ack()),
  });
  return { stop: () => messages.stop() };
}

let asked = 0;

/** Publish, then hear of the put on the result's subject: what a bare program can do at best. */
async function askByHand(connection: NatsConnection, bare: BareSetup, index: number): Promise<void> {
  const id = bareId(`latency-${asked++}`, index);
  const stored = new Promise<void>((resolve) => {
    connection.subscribe(bare.resultSubject(id), { max: 1, callback: () => resolve() });
  });
  await bare.publisher.publish(bare.taskSubject(id), JSON.stringify({ n: index }));
  await stored;
}
