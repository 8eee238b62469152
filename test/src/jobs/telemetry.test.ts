/** Traces, metrics and health. */
import { context, INVALID_SPAN_CONTEXT } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base';
import {
  createClient,
  defineTask,
  handleTask,
  TaskHeader,
  type PropagatedContext,
  type WorkerOptions,
} from '@stratum/jobs';
import { collectQueueMetrics, JobsMetrics } from '@stratum/jobs/metrics';
import { startMonitoring } from '@stratum/shared/service';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { add, addHandler, flaky, flakyHandler, openJobs } from './fixture.js';

const parent = defineTask({
  name: 'parent',
  queue: 'work',
  input: z.object({ tenant_id: z.int().optional() }),
  output: z.object({ child: z.string() }),
  retry: { maxRetries: 1, backoff: { kind: 'fixed', delayMs: 10 } },
});

beforeAll(() => void context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
afterAll(() => context.disable());

function openTracer(): { tracer: NonNullable<WorkerOptions['tracer']>; spans: () => ReadableSpan[] } {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  onTestFinished(() => provider.shutdown());
  return { tracer: provider.getTracer('test'), spans: () => exporter.getFinishedSpans() };
}

describe('a trace', () => {
  test('leads from the enqueue through every attempt to the children', async () => {
    const { connection, topology, worker } = await openJobs();
    const { tracer, spans } = openTracer();
    const client = createClient({ connection, topology, tracer });
    onTestFinished(() => client.close());
    worker(
      [
        addHandler,
        handleTask(parent, async (_payload, task) => {
          if (task.retries === 0) throw new Error('the first attempt fails');
          const inner = tracer.startSpan('own work');
          inner.end();
          const { id } = await task.enqueue(add, { a: 1, b: 1 });
          return { child: id };
        }),
      ],
      { tracer },
    );
    const { id } = await client.enqueue(parent, { tenant_id: 7 });
    const record = await client.result(id);
    await client.result(parent.output.parse(record.result).child);
    const all = await waitFor('every span', () => spans().length === 6 && spans());
    const named = (name: string): ReadableSpan[] => all.filter((span) => span.name === name);
    const [send] = named('parent send');
    const [first, second] = named('parent process');
    const [childSend] = named('add send');
    const [childProcess] = named('add process');
    expect(new Set(all.map((span) => span.spanContext().traceId)).size).toBe(1);
    expect(send?.parentSpanContext).toBeUndefined();
    for (const attempt of [first, second])
      expect(attempt?.parentSpanContext?.spanId).toBe(send?.spanContext().spanId);
    expect(named('own work')[0]?.parentSpanContext?.spanId).toBe(second?.spanContext().spanId);
    expect(childSend?.parentSpanContext?.spanId).toBe(second?.spanContext().spanId);
    expect(childProcess?.parentSpanContext?.spanId).toBe(childSend?.spanContext().spanId);
    expect(first?.status.message).toBe('the first attempt fails');
    expect(first?.events[0]?.name).toBe('exception');
    expect(second?.attributes).toMatchObject({
      'messaging.system': 'nats',
      'messaging.destination.name': 'work',
      'messaging.message.id': id,
      'stratum.task': 'parent',
      'stratum.tenant': '7',
      'stratum.retries': 1,
      'stratum.state': 'SUCCESS',
    });
  });

  test('that somebody else began is carried on, also where nobody traces', async () => {
    const { client, connection, topology, worker } = await openJobs();
    const traceParent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    worker([
      handleTask(parent, async (_payload, task) => {
        const { id } = await task.enqueue(add, { a: 1, b: 1 }, { delayMs: 3_600_000 });
        return { child: id };
      }),
    ]);
    const { id } = await client.enqueue(parent, {}, { traceParent, traceState: 'vendor=1' });
    const { child } = parent.output.parse((await client.result(id)).result);
    const stored = await connection.request(
      `$JS.API.DIRECT.GET.${topology.names.queueStream('work')}`,
      JSON.stringify({ last_by_subj: topology.names.delayedSubject('work', child) }),
    );
    expect(stored.headers?.get(TaskHeader.TraceParent)).toBe(traceParent);
    expect(stored.headers?.get(TaskHeader.TraceState)).toBe('vendor=1');
  });

  const ids = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1 };
  test.each<[string, PropagatedContext]>([
    ['all-zero ids, as without a started SDK', INVALID_SPAN_CONTEXT],
    ['no trace', { ...ids, traceId: '' }],
    ['upper-case ids', { ...ids, spanId: ids.spanId.toUpperCase() }],
    ['flags of three digits', { ...ids, traceFlags: 0x101 }],
    ['a state that is none', { ...ids, traceState: { serialize: () => 'no pair' } }],
  ])('of a tracer with %s stops no task', async (_, spanContext) => {
    const { connection, topology, worker } = await openJobs();
    const span = {
      spanContext: () => spanContext,
      setAttribute: () => span,
      recordException: () => undefined,
      setStatus: () => span,
      end: () => undefined,
    };
    const tracer = { startSpan: () => span };
    const client = createClient({ connection, topology, tracer });
    onTestFinished(() => client.close());
    worker(
      [
        addHandler,
        handleTask(parent, async (_payload, task) => {
          const { id } = await task.enqueue(add, { a: 1, b: 1 });
          return { child: id };
        }),
      ],
      { tracer },
    );
    const { child } = await client.call(parent, {});
    expect(await client.result(child)).toMatchObject({ state: 'SUCCESS', result: { sum: 2 } });
  });
});

describe('metrics', () => {
  test('count events by queue and task', async () => {
    const { connection, topology, worker } = await openJobs();
    const registry = new Registry();
    const metrics = new JobsMetrics(registry);
    const client = createClient({ connection, topology, metrics });
    onTestFinished(() => client.close());
    collectQueueMetrics(client, registry);
    worker([addHandler, flakyHandler], { metrics });
    const tasks = await client.enqueueMany(
      add,
      Array.from({ length: 5 }, () => ({ payload: { a: 1, b: 1 } })),
    );
    const { id: failing } = await client.enqueue(flaky, { failures: 9 });
    await client.enqueue(add, { a: 1, b: 1 }, { delayMs: 3_600_000 });
    for (const { id } of [...tasks, { id: failing }]) await client.result(id);
    const text = await waitFor('the counts', async () => {
      const page = await registry.metrics();
      return (
        page.includes('stratum_task_attempts_total{queue="work",task="flaky",state="failure"} 1') && page
      );
    });
    for (const line of [
      'stratum_task_attempts_total{queue="work",task="add",state="success"} 5',
      'stratum_task_attempts_total{queue="work",task="flaky",state="retry"} 2',
      'stratum_dead_letters_total{queue="work",task="flaky",reason="max_retries"} 1',
      'stratum_task_wait_seconds_count{queue="work",task="add"} 5',
      'stratum_task_run_seconds_count{queue="work",task="add",state="success"} 5',
      'stratum_tasks_in_flight{queue="work",task="add"} 0',
      'stratum_queue_tasks{queue="work",state="delayed"} 1',
      'stratum_queue_paused{queue="work"} 0',
      'stratum_workers{condition="ready"} 1',
    ])
      expect(text).toContain(line);
    expect(text).toMatch(/stratum_publish_ack_seconds_count [1-9]/);
    expect(text).not.toContain(failing);
  });

  test('and health are answered over HTTP', async () => {
    const { connection } = await openJobs();
    const registry = new Registry();
    const server = await startMonitoring({ port: 0, registry, connection });
    onTestFinished(() => server.stop());
    const get = async (path: string): Promise<number> =>
      (await fetch(`http://127.0.0.1:${server.port}${path}`)).status;
    expect([await get('/metrics'), await get('/healthz'), await get('/readyz'), await get('/other')]).toEqual(
      [200, 200, 200, 404],
    );
  });
});
