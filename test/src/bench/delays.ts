/** How late delayed tasks start, in milliseconds: through the framework, and by the broker's schedule alone. */
import { headers as newHeaders, type NatsConnection } from '@nats-io/transport-node';
import { createWorker, defineTask, handleTask } from '@stratum/jobs';
import { z } from 'zod';
import { median, percentile } from './measure.js';
import { noop, type Framework } from './subject.js';

const COUNT = 5_000;
const LEAD_MS = 2_000;
const SPREAD_MS = 2_000;

export interface DelayFigures {
  tasks: number;
  ours: { median: number; p99: number };
  /** The server's own schedule, without the early hand-over to the worker. */
  bare: { median: number; p99: number };
}

const timed = defineTask({
  name: 'timed',
  queue: noop.queue,
  input: z.object({ due: z.number(), bare: z.boolean() }),
  output: z.null(),
  ignoreResult: true,
});

export async function benchDelays(connection: NatsConnection, framework: Framework): Promise<DelayFigures> {
  const { client, topology } = framework;
  const late: { ours: number[]; bare: number[] } = { ours: [], bare: [] };
  let finish: () => void;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const worker = createWorker({
    connection,
    topology,
    queues: [noop.queue],
    concurrency: 256,
    handlers: [
      handleTask(timed, ({ due, bare }) => {
        late[bare ? 'bare' : 'ours'].push(Date.now() - due);
        if (late.ours.length + late.bare.length === 2 * COUNT) finish();
        return null;
      }),
    ],
  });
  worker.start();
  const start = Date.now() + LEAD_MS;
  const dueAt = (index: number): number => start + Math.floor((index * SPREAD_MS) / COUNT);
  await client.enqueueMany(
    timed,
    Array.from({ length: COUNT }, (_, index) => ({
      payload: { due: dueAt(index), bare: false },
      options: { eta: new Date(dueAt(index)) },
    })),
  );
  scheduleByHand(connection, framework, (index) => dueAt(index) + LEAD_MS + SPREAD_MS);
  await finished;
  await worker.stop();
  return {
    tasks: COUNT,
    ours: { median: median(late.ours), p99: percentile(late.ours, 0.99) },
    bare: { median: median(late.bare), p99: percentile(late.bare, 0.99) },
  };
}

/** Afterwards, so that the two do not disturb each other. */
function scheduleByHand(
  connection: NatsConnection,
  { topology: { names } }: Framework,
  dueAt: (index: number) => number,
): void {
  for (let index = 0; index < COUNT; index++) {
    const id = `bare-${index}`;
    const due = dueAt(index);
    const headers = newHeaders();
    headers.set('Nats-Schedule', `@at ${new Date(due).toISOString()}`);
    headers.set(
      'Nats-Schedule-Target',
      names.taskSubject({ queue: noop.queue, priority: 'normal', tenant: undefined, task: timed.name, id }),
    );
    headers.set('Task-Fresh-Id', '1');
    connection.publish(names.delayedSubject(noop.queue, id), JSON.stringify({ due, bare: true }), {
      headers,
    });
  }
}
