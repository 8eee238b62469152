import {
  addTestEvent,
  MESSAGE_STATES,
  enqueueDeliveries,
  findSubscription,
  formatEventId,
  listDeliveries,
  parseEventId,
  replayDelivery,
  type Delivery,
  type MessageState,
} from '@stratum/shared/subscriptions';
import type { TaskRecord } from '@stratum/jobs';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { printJson, printTable } from '../output.js';
import { asTenant, tenantCommand, type TenantOptions } from '../tenant-session.js';
import { unknownSubscription } from './subscriptions-problem.js';

/** An attempt takes no longer, unless the queue is long. */
const TEST_TIMEOUT_MS = 30_000;

export function deliveriesCommand(): Command {
  return tenantCommand(
    'subscriptions',
    'deliveries',
    'What was sent and is to be sent, the newest first.',
    '<id> --tenant 1 --state failed',
  )
    .argument('<id>', 'id of the subscription')
    .addOption(new Option('--state <state>', 'only these').choices(MESSAGE_STATES))
    .option('--limit <count>', 'so many', parseLimit, 20)
    .action(async (id: string, options: TenantOptions & { state?: MessageState; limit: number }) => {
      const { deliveries } = await asTenant(
        { tenant: options.tenant, subject: 'subscription' },
        async ({ client }) => {
          if ((await findSubscription(client, id)) === undefined) throw unknownSubscription(id);
          const { limit, state } = options;
          return listDeliveries(client, id, { limit, ...(state === undefined ? {} : { state }) });
        },
      );
      if (options.json) printJson(deliveries.map(toJson));
      else if (deliveries.length === 0) console.log('Nothing was sent yet.');
      else
        printTable(
          ['event', 'type', 'happened', 'state', 'attempts', 'last answer', 'next attempt'],
          deliveries.map((each) => [
            formatEventId(each.eventId),
            each.type,
            each.occurredAt.toISOString(),
            each.state,
            each.attempts[0]?.attempt ?? 0,
            lastAnswer(each),
            each.nextAttemptAt?.toISOString() ?? null,
          ]),
        );
    });
}

export function testCommand(): Command {
  return tenantCommand(
    'subscriptions',
    'test',
    'Send a test event, and tell what the receiver said.',
    '<id> --tenant 1',
  )
    .argument('<id>', 'id of the subscription')
    .action(async (id: string, options: TenantOptions) => {
      let taskIds: string[] = [];
      let record: TaskRecord | undefined;
      const eventId = await asTenant(
        { tenant: options.tenant, subject: 'subscription' },
        async ({ client, tell, afterCommit }) => {
          if ((await findSubscription(client, id)) === undefined) throw unknownSubscription(id);
          await tell('subscription.tested', id);
          const event = await addTestEvent(client, id);
          afterCommit(async (tasks) => {
            taskIds = await enqueueDeliveries(tasks, { tenantId: options.tenant, subscriptionId: id }, [
              event,
            ]);
            record = await tasks.result(taskIds[0] ?? '', { timeoutMs: TEST_TIMEOUT_MS });
          });
          return event;
        },
      );
      const { deliveries } = await asTenant(
        { tenant: options.tenant, subject: 'subscription' },
        ({ client }) => listDeliveries(client, id, { limit: 100 }),
      );
      const sent = deliveries.find((each) => each.eventId === eventId);
      const isDelivered = sent?.state === 'delivered';
      if (!isDelivered) process.exitCode = 1;
      if (options.json)
        printJson(sent === undefined ? { event_id: formatEventId(eventId), state: 'unknown' } : toJson(sent));
      else if (isDelivered) console.log(`The receiver took it: ${lastAnswer(sent)}.`);
      else
        console.log(
          `The receiver did not take it: ${sent === undefined ? 'unknown' : lastAnswer(sent)}. The task ended as ${record?.state}.`,
        );
    });
}

export function replayCommand(): Command {
  return tenantCommand(
    'subscriptions',
    'replay',
    'Send an event again now, under the same webhook-id.',
    '<id> evt_17 --tenant 1',
  )
    .argument('<id>', 'id of the subscription')
    .argument('<event>', 'id of the event, evt_…')
    .action(async (id: string, event: string, options: TenantOptions) => {
      const eventId = parseEventId(event);
      if (eventId === undefined)
        throw new Error(`"${event}" is not the id of an event; it begins with evt_.`);
      let taskIds: string[] = [];
      await asTenant(
        { tenant: options.tenant, subject: 'subscription' },
        async ({ client, tell, afterCommit }) => {
          const subscription = await findSubscription(client, id);
          if (subscription === undefined) throw unknownSubscription(id);
          await tell('subscription.delivery_replayed', id, { event_id: event });
          if (!(await replayDelivery(client, subscription, eventId)))
            throw new Error(`There is no event "${event}" of the last 30 days there.`);
          afterCommit(async (tasks) => {
            taskIds = await enqueueDeliveries(tasks, { tenantId: options.tenant, subscriptionId: id }, [
              eventId,
            ]);
          });
        },
      );
      if (options.json) printJson({ event_id: event, task_id: taskIds[0] });
      else
        console.log(`On its way. See \`stratum subscriptions deliveries ${id} --tenant ${options.tenant}\`.`);
    });
}

function lastAnswer({ attempts: [last] }: Delivery): string {
  if (last === undefined) return 'not tried yet';
  return last.error ?? `HTTP ${last.status_code} in ${last.duration_ms} ms`;
}

function toJson(delivery: Delivery): Record<string, unknown> {
  return {
    event_id: formatEventId(delivery.eventId),
    type: delivery.type,
    occurred_at: delivery.occurredAt,
    state: delivery.state,
    next_attempt_at: delivery.nextAttemptAt,
    finished_at: delivery.finishedAt,
    attempts: delivery.attempts,
  };
}

function parseLimit(text: string): number {
  const limit = Number(text);
  if (Number.isInteger(limit) && limit > 0 && limit <= 1_000) return limit;
  throw new InvalidArgumentError('Give a whole number from 1 to 1000.');
}
