import { DOMAIN_EVENT_TYPES, loadConfiguration, type DomainEventType } from '@stratum/shared';
import {
  createSubscription,
  enqueueDeliveries,
  listSubscriptions,
  MAX_REPLAYED,
  removeSubscription,
  resumeWithMissed,
  rotateSecret,
  stopSubscription,
  subscriptionAddress,
  type Subscription,
} from '@stratum/shared/subscriptions';
import { localEnvironment } from '../environment.js';
import { typed } from '../frame/invocation.js';
import { flexible, printJson, printTable, styled, wrapped } from '../output.js';
import { asTenant, keyRing, type TenantOptions } from '../tenant-session.js';
import { subject, unknownSubscription } from './subscription-lookup.js';

const SECRET_NOTE =
  'The secret is shown only once. Receivers verify signatures with it: see docs/operate/subscriptions.md.';

export async function list({ tenant, json }: TenantOptions): Promise<void> {
  const subscriptions = await asTenant({ tenant, subject }, ({ client }) => listSubscriptions(client));
  if (json) printJson(subscriptions.map(toJson));
  else if (subscriptions.length === 0)
    console.log(
      `No subscriptions. Create one with: ${typed(`subscriptions create <url> --events all --tenant ${tenant}`)}`,
    );
  else
    printTable(
      ['id', flexible('address'), wrapped('events'), 'status', 'failures', flexible('description', 20)],
      subscriptions.map((each) => [
        each.id,
        each.url,
        each.eventTypes.length === DOMAIN_EVENT_TYPES.length ? 'all' : each.eventTypes,
        each.status,
        each.consecutiveFailures,
        each.description,
      ]),
    );
}

export async function create(
  url: string,
  options: TenantOptions & { events: DomainEventType[]; description: string },
): Promise<void> {
  const { tenant, events: eventTypes, description } = options;
  const made = await asTenant({ tenant, subject }, async ({ client, audit }) => {
    const created = await createSubscription(client, await keyRing(), {
      tenantId: tenant,
      url: await checkedAddress(url),
      eventTypes,
      description,
    });
    const { id, eventTypes: types } = created.subscription;
    await audit('subscription.created', id, { host: new URL(url).host, event_types: types });
    return created;
  });
  showSecret(made, options);
}

export async function rotate(id: string, options: TenantOptions): Promise<void> {
  const { tenant } = options;
  const made = await asTenant({ tenant, subject }, async ({ client, audit }) => {
    const rotated = await rotateSecret(client, await keyRing(), { tenantId: tenant, id });
    if (rotated === undefined) throw unknownSubscription(id, tenant);
    await audit('subscription.secret_rotated', id);
    return rotated;
  });
  showSecret(made, options);
}

export async function pause(id: string, { tenant, json }: TenantOptions): Promise<void> {
  await asTenant({ tenant, subject }, async ({ client, audit }) => {
    const reason = 'Paused by its owner.';
    if (!(await stopSubscription(client, id, { status: 'paused', reason })))
      throw unknownSubscription(id, tenant);
    await audit('subscription.paused', id);
  });
  if (json) printJson({ id, status: 'paused' });
  else console.log(`Paused ${id}. Resume it with: ${typed(`subscriptions resume ${id} --tenant ${tenant}`)}`);
}

export async function resume(
  id: string,
  { tenant, json, since, replay = false }: TenantOptions & { replay?: boolean; since?: Date },
): Promise<void> {
  const replayed = await asTenant({ tenant, subject }, async ({ client, audit, afterCommit }) => {
    const resumed = await resumeWithMissed(client, id, { replay, since });
    if (resumed === undefined) throw unknownSubscription(id, tenant);
    await audit('subscription.resumed', id, { replay });
    const { events } = resumed;
    afterCommit((tasks) => enqueueDeliveries(tasks, { tenantId: tenant, subscriptionId: id }, events));
    return events.length;
  });
  if (json) printJson({ id, status: 'active', replayed });
  else if (replay)
    console.log(
      `Resumed ${id}, sending ${replayed} missed events.${replayed === MAX_REPLAYED ? ' There may be more: run it again with --since.' : ''}`,
    );
  else console.log(`Resumed ${id}.`);
}

export async function remove(id: string, { tenant, json }: TenantOptions): Promise<void> {
  await asTenant({ tenant, subject }, async ({ client, audit }) => {
    if (!(await removeSubscription(client, id))) throw unknownSubscription(id, tenant);
    await audit('subscription.removed', id);
  });
  if (json) printJson({ id, removed: true });
  else console.log(`Removed ${id}.`);
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
  console.log(`The id of the subscription is ${subscription.id}. Send a test event with:\n`);
  console.log(`  ${typed(`subscriptions test ${subscription.id} --tenant ${tenant}`)}`);
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
