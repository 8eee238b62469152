/** The example of the guide to middleware: the tenant of a piece of work, and a report of what fails for good. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { createClient, defineTask, handleTask, type Middleware, type Topology } from '@stratum/jobs';
import type { NatsConnection } from '@nats-io/transport-node';
import { z } from 'zod';

/** The tenant that the running code works for. */
const currentTenant = new AsyncLocalStorage<string | undefined>();

export const tenantContext: Middleware = {
  name: 'tenant context',
  // A task that names no tenant gets the one that the caller works for.
  enqueue: ({ tenant }, next) => {
    const own = tenant ?? currentTenant.getStore();
    return next(own === undefined ? {} : { tenant: own });
  },
  // Whatever the handler calls knows its tenant, without being told.
  attempt: ({ context }, next) => currentTenant.run(context.tenant, next),
};

/** A service that collects errors, such as Sentry. */
export interface ErrorReporter {
  captureException(error: unknown, context: { tags: Record<string, string | undefined> }): void;
}

/** Reports each task that fails for good, once; an attempt that will be repeated is no news. */
export const errorReporting = (reporter: ErrorReporter): Middleware => ({
  name: 'error reporting',
  attempt: async ({ context }, next) => {
    const end = await next();
    if (end.kind !== 'dead') return;
    const { id, task, tenant } = context;
    reporter.captureException(end.error, { tags: { id, task, tenant, reason: end.reason } });
  },
});

export const greet = defineTask({
  name: 'greet',
  queue: 'default',
  input: z.object({ name: z.string() }),
  output: z.object({ greeting: z.string() }),
  retry: { maxRetries: 1, backoff: { kind: 'fixed', delayMs: 10 } },
});

/** Deep inside the application. */
function greetingFor(name: string): string {
  if (name === '') throw new Error('There is nobody to greet.');
  return `${name} of tenant ${currentTenant.getStore() ?? 'nobody'}`;
}

export const greetHandler = handleTask(greet, ({ name }) => ({ greeting: greetingFor(name) }));

/** A request of tenant 7 enqueues a task, and waits for its result. */
export async function greetFor(
  connection: NatsConnection,
  topology: Topology,
  tenant: string,
  name: string,
): Promise<{ greeting: string }> {
  const client = createClient({ connection, topology, middleware: [tenantContext] });
  try {
    return await currentTenant.run(tenant, () => client.call(greet, { name }));
  } finally {
    await client.close();
  }
}
