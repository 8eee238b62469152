/** Faults, each with the problem that the Overview has to name, and what ends it. */
import { jetstream } from '@nats-io/jetstream';
import type { ProblemCode } from '@stratum/dashboard/answers';
import { Client } from 'pg';
import { waitFor } from '../harness/index.js';
import { block, fail, hold, newcomer, orphan, tick } from './environment.js';
import type { Stack } from './stack.js';

export interface Fault {
  name: string;
  code: ProblemCode;
  /** Before the clock runs: what the fault will hit. */
  prepare?: (stack: Stack) => Promise<unknown>;
  /** @returns what ends it */
  inject: (stack: Stack) => Promise<() => Promise<unknown>>;
}

const MINUTE_MS = 60_000;
const SLOW_MS = 400;
const [ACME, GLOBEX] = ['1', '2'];

const fail10 = async ({ client, gate }: Stack): Promise<void> => {
  for (let n = 0; n < 10; n++) await client.result((await client.enqueue(fail, { until: gate })).id);
};

export const FAULTS: readonly Fault[] = [
  {
    name: 'a queue has no worker',
    code: 'no_worker',
    inject: async ({ client, startWorker }) => {
      await client.enqueue(orphan, {});
      return () => startWorker('ml');
    },
  },
  {
    name: 'the workers of a queue lack a task',
    code: 'no_worker_for_task',
    inject: async ({ client, startWorker }) => {
      await client.enqueue(newcomer, {});
      return () => startWorker('default', { knowsAll: true });
    },
  },
  {
    name: 'a queue is paused with a backlog',
    code: 'paused_with_backlog',
    inject: async ({ client }) => {
      await client.control.pause('default');
      return () => client.control.resume('default');
    },
  },
  {
    name: 'a worker is killed with its tasks',
    code: 'worker_unreachable',
    inject: async ({ client, startWorker, gate }) => {
      const worker = await startWorker('sync');
      const { id } = await client.enqueue(hold, { until: gate });
      await waitFor('the task to run', async () => (await client.status(id))?.state === 'STARTED');
      const first = (await client.status(id))?.worker;
      await worker.kill('SIGKILL');
      // It is over when another worker holds the task.
      return async () => {
        await startWorker('sync');
        await waitFor('the task to run elsewhere', async () => {
          const record = await client.status(id);
          return record?.state === 'STARTED' && record.worker !== first;
        });
      };
    },
  },
  {
    name: 'a handler blocks the event loop',
    code: 'worker_blocked',
    prepare: ({ startWorker }) => startWorker('sync'),
    inject: async ({ client, gate, open }) => {
      await client.enqueue(block, { until: gate });
      return open;
    },
  },
  {
    name: 'one tenant holds all slots',
    code: 'slots_of_one_tenant',
    prepare: ({ startWorker }) => startWorker('sync', { slots: 2 }),
    inject: async ({ client, gate, open }) => {
      for (let n = 0; n < 3; n++) await client.enqueue(hold, { until: gate }, { tenant: ACME });
      await client.enqueue(hold, { until: gate }, { tenant: GLOBEX });
      return open;
    },
  },
  {
    name: 'a rate limit of one a minute',
    code: 'rate_limited',
    inject: async ({ client }) => {
      await client.control.setRateLimit(tick.name, { limit: 1, perMs: MINUTE_MS });
      for (let n = 0; n < 5; n++) await client.enqueue(tick, {});
      return () => client.control.setRateLimit(tick.name, undefined);
    },
  },
  {
    name: 'a task fails always',
    code: 'task_failing',
    inject: async (stack) => {
      await fail10(stack);
      return async () => {
        await stack.open();
        await fail10(stack);
      };
    },
  },
  {
    name: 'all schedulers are gone',
    code: 'no_scheduler',
    inject: async ({ scheduler, startScheduler }) => {
      await scheduler.kill('SIGKILL');
      return startScheduler;
    },
  },
  {
    name: 'a poison message',
    code: 'new_dead_letters',
    inject: async ({ connection, topology, client }) => {
      const subject = {
        queue: 'default',
        priority: 'normal',
        tenant: undefined,
        task: 'tick',
        id: 'poison',
      } as const;
      await jetstream(connection).publish(topology.names.taskSubject(subject), '{ this is no JSON');
      return async () => {
        for await (const letter of client.deadLetters.discardMany({})) if (letter.id === '') return;
      };
    },
  },
  {
    name: 'the broker stops',
    code: 'broker_silent',
    inject: async ({ broker }) => {
      await broker.kill();
      return () => broker.restart();
    },
  },
  {
    name: 'the broker answers slowly',
    code: 'broker_slow',
    inject: ({ network }) => {
      network.slow(SLOW_MS);
      return Promise.resolve(() => Promise.resolve(network.slow(0)));
    },
  },
  {
    name: 'the database stops',
    code: 'database_silent',
    inject: async ({ database }) => {
      await database.stop();
      return database.start;
    },
  },
  {
    name: 'the projector stops',
    code: 'history_behind',
    inject: async ({ database }) => {
      const blocker = new Client({ connectionString: database.url });
      await blocker.connect();
      await blocker.query('BEGIN');
      await blocker.query('SELECT FROM projector FOR UPDATE');
      return () => blocker.end();
    },
  },
];
