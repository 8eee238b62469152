/** An application that logs, measures and traces. The test compiles it with the oldest optional peers, away from this repository. */
import { trace } from '@opentelemetry/api';
import {
  connectToNats,
  createClient,
  createWorker,
  defineTask,
  defineTopology,
  handleTask,
  reconcileTopology,
} from '@stratum/jobs';
import { collectQueueMetrics, JobsMetrics } from '@stratum/jobs/metrics';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { z } from 'zod';

const greet = defineTask({
  name: 'greet',
  queue: 'mail',
  input: z.object({ name: z.string() }),
  output: z.string(),
});

const connection = await connectToNats({ servers: process.env['NATS_URL'] ?? '', name: 'observed' });
const topology = defineTopology({ prefix: process.env['PREFIX'] ?? '', queues: [{ name: 'mail' }] });
await reconcileTopology(connection, topology);

const registry = new Registry();
const metrics = new JobsMetrics(registry);
const tracer = trace.getTracer('observed');
const lines: string[] = [];
const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
const client = createClient({ connection, topology, metrics, tracer });
collectQueueMetrics(client, registry);
const worker = createWorker({
  connection,
  topology,
  queues: ['mail'],
  metrics,
  tracer,
  logger,
  handlers: [
    handleTask(greet, ({ name }, context) => {
      context.logger.info('greeting');
      return `Hello, ${name}!`;
    }),
  ],
});
worker.start();
const text: string = await client.call(greet, { name: 'Ada' });
await worker.stop();
const page = await registry.metrics();
await client.close();
await connection.close();

process.stdout.write(
  JSON.stringify({
    text,
    isLogged: lines.some((line) => JSON.parse(line).msg === 'greeting'),
    isCounted: page.includes('stratum_task_run_seconds_count{queue="mail",task="greet",state="success"} 1'),
  }),
);
