import {
  DOMAIN_EVENT_TYPES,
  isDomainEventType,
  loadConfiguration,
  type DomainEventType,
} from '@stratum/shared';
import {
  createSubscription,
  enqueueDeliveries,
  findSubscription,
  listSubscriptions,
  MAX_REPLAYED,
  removeSubscription,
  replayMissed,
  resumeSubscription,
  rotateSecret,
  stopSubscription,
  subscriptionAddress,
  type Subscription,
} from '@stratum/shared/subscriptions';
import { Command, InvalidArgumentError } from 'commander';
import { localEnvironment } from '../environment.js';
import { printJson, printTable, styled } from '../output.js';
import { deliveriesCommand, replayCommand, testCommand } from './deliveries.js';
import { asTenant, keyRing, tenantCommand, type TenantOptions } from '../tenant-session.js';
import { unknownSubscription } from './subscriptions-problem.js';

const SECRET_NOTE =
  'This secret is shown once. Receivers verify signatures by it: see docs/operate/subscriptions.md.';

export function subscriptionsCommand(): Command {
  return new Command('subscriptions')
    .description('Events that are sent out: subscribe addresses, see what was sent, send again.')
    .addCommand(listCommand())
    .addCommand(createCommand())
    .addCommand(rotateCommand())
    .addCommand(testCommand())
    .addCommand(pauseCommand())
    .addCommand(resumeCommand())
    .addCommand(removeCommand())
    .addCommand(deliveriesCommand())
    .addCommand(replayCommand());
}

function listCommand(): Command {
  return tenantCommand('subscriptions', 'list', "List a tenant's subscriptions.", '--tenant 1').action(
    async (options: TenantOptions) => {
      const subscriptions = await asTenant(
        { tenant: options.tenant, subject: 'subscription' },
        ({ client }) => listSubscriptions(client),
      );
      if (options.json) printJson(subscriptions.map(toJson));
      else if (subscriptions.length === 0)
        console.log('There are no subscriptions. Make one with `stratum subscriptions create`.');
      else
        printTable(
          ['id', 'address', 'events', 'status', 'failures in a row', 'description'],
          subscriptions.map((each) => [
            each.id,
            each.url,
            each.eventTypes.join('\n'),
            each.status,
            each.consecutiveFailures,
            each.description,
          ]),
        );
    },
  );
}

function createCommand(): Command {
  return tenantCommand(
    'subscriptions',
    'create',
    'Subscribe an address to events, and show its secret this once.',
    'https://example.com/hooks --events campaign.paused,budget.depleted --tenant 1',
  )
    .argument('<url>', 'where events are sent: https://…')
    .requiredOption('--events <types>', 'types of events, comma-separated, or "all"', parseEvents)
    .option('--description <text>', 'what it is for', '')
    .addHelpText(
      'after',
      `\nTypes of events:\n${DOMAIN_EVENT_TYPES.map((type) => `  ${type}`).join('\n')}\n\nThe sandbox of \`npm start\` has a receiver: http://127.0.0.1:8100/receiver/demo`,
    )
    .action(
      async (url: string, options: TenantOptions & { events: DomainEventType[]; description: string }) => {
        const made = await asTenant(
          { tenant: options.tenant, subject: 'subscription' },
          async ({ client, tell }) => {
            const created = await createSubscription(client, await keyRing(), {
              tenantId: options.tenant,
              url: await checkedAddress(url),
              eventTypes: options.events,
              description: options.description,
            });
            const { id, eventTypes } = created.subscription;
            await tell('subscription.created', id, { host: new URL(url).host, event_types: eventTypes });
            return created;
          },
        );
        showSecret(made, options);
      },
    );
}

function rotateCommand(): Command {
  return tenantCommand(
    'subscriptions',
    'rotate',
    'Give a subscription a new secret; the one before signs for a day more.',
    '<id> --tenant 1',
  )
    .argument('<id>', 'id of the subscription')
    .action(async (id: string, options: TenantOptions) => {
      const made = await asTenant(
        { tenant: options.tenant, subject: 'subscription' },
        async ({ client, tell }) => {
          const rotated = await rotateSecret(client, await keyRing(), { tenantId: options.tenant, id });
          if (rotated === undefined) throw unknownSubscription(id);
          await tell('subscription.secret_rotated', id);
          return rotated;
        },
      );
      showSecret(made, options);
    });
}

function pauseCommand(): Command {
  return tenantCommand('subscriptions', 'pause', 'Send nothing for the time being.', '<id> --tenant 1')
    .argument('<id>', 'id of the subscription')
    .action(async (id: string, options: TenantOptions) => {
      await asTenant({ tenant: options.tenant, subject: 'subscription' }, async ({ client, tell }) => {
        const reason = 'Paused by its owner.';
        if (!(await stopSubscription(client, id, { status: 'paused', reason })))
          throw unknownSubscription(id);
        await tell('subscription.paused', id);
      });
      if (options.json) printJson({ id, status: 'paused' });
      else
        console.log(
          `Paused ${id}. Start it again with \`stratum subscriptions resume ${id} --tenant ${options.tenant}\`.`,
        );
    });
}

function resumeCommand(): Command {
  return tenantCommand(
    'subscriptions',
    'resume',
    'Send again.',
    '<id> --tenant 1 --replay --since 2026-11-20T00:00:00Z',
  )
    .argument('<id>', 'id of the subscription')
    .option('--replay', 'also send what was missed')
    .option('--since <time>', 'missed since then; default: since it failed, or was paused', parseTime)
    .action(async (id: string, options: TenantOptions & { replay?: boolean; since?: Date }) => {
      const replayed = await asTenant(
        { tenant: options.tenant, subject: 'subscription' },
        async ({ client, tell, afterCommit }) => {
          const resumed = await resumeSubscription(client, id);
          const subscription = await findSubscription(client, id);
          if (resumed === undefined || subscription === undefined) throw unknownSubscription(id);
          await tell('subscription.resumed', id, { replay: options.replay === true });
          const from = options.since ?? resumed.missedSince;
          const events = options.replay && from ? await replayMissed(client, subscription, from) : [];
          afterCommit((tasks) =>
            enqueueDeliveries(tasks, { tenantId: options.tenant, subscriptionId: id }, events),
          );
          return events.length;
        },
      );
      if (options.json) printJson({ id, status: 'active', replayed });
      else {
        const more = replayed === MAX_REPLAYED ? ' There may be more: say it again with --since.' : '';
        console.log(
          `Resumed ${id}.${options.replay ? ` ${replayed} missed events are on their way.${more}` : ''}`,
        );
      }
    });
}

function removeCommand(): Command {
  return tenantCommand(
    'subscriptions',
    'remove',
    'Remove a subscription, with what was sent to it.',
    '<id> --tenant 1',
  )
    .argument('<id>', 'id of the subscription')
    .action(async (id: string, options: TenantOptions) => {
      await asTenant({ tenant: options.tenant, subject: 'subscription' }, async ({ client, tell }) => {
        if (!(await removeSubscription(client, id))) throw unknownSubscription(id);
        await tell('subscription.removed', id);
      });
      if (options.json) printJson({ id, removed: true });
      else console.log(`Removed ${id}.`);
    });
}

async function checkedAddress(url: string): Promise<string> {
  const { SCANNER_ALLOWED_HOSTS: allowedHosts } = loadConfiguration(
    ['SCANNER_ALLOWED_HOSTS'],
    await localEnvironment(),
  );
  const parsed = subscriptionAddress(allowedHosts).safeParse(url);
  if (parsed.success) return parsed.data;
  throw new Error(`The address ${parsed.error.issues.map(({ message }) => message).join('; ')}.`);
}

function showSecret(
  { subscription, secret }: { subscription: Subscription; secret: string },
  { json, tenant }: TenantOptions,
): void {
  if (json) {
    printJson({ ...toJson(subscription), secret });
    return;
  }
  console.log(`${styled('bold', secret)}\n\n${SECRET_NOTE}`);
  console.log(`Its id is ${subscription.id}. Try it:\n`);
  console.log(`  stratum subscriptions test ${subscription.id} --tenant ${tenant}`);
}

function toJson(subscription: Subscription): Record<string, unknown> {
  return {
    id: subscription.id,
    url: subscription.url,
    event_types: subscription.eventTypes,
    description: subscription.description,
    status: subscription.status,
    status_reason: subscription.statusReason,
    consecutive_failures: subscription.consecutiveFailures,
    first_failed_at: subscription.firstFailedAt,
    previous_secret_until: subscription.previousSecretUntil,
    created_at: subscription.createdAt,
  };
}

function parseEvents(text: string): DomainEventType[] {
  if (text === 'all') return [...DOMAIN_EVENT_TYPES];
  return text.split(',').map((part) => {
    const type = part.trim();
    if (isDomainEventType(type)) return type;
    throw new InvalidArgumentError(
      `There is no type "${type}". The types are: ${DOMAIN_EVENT_TYPES.join(', ')}.`,
    );
  });
}

function parseTime(text: string): Date {
  const time = new Date(text);
  if (!Number.isNaN(time.getTime())) return time;
  throw new InvalidArgumentError('Give a time such as 2026-11-20T08:00:00Z.');
}
