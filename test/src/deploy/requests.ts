/** What a producer or an observer asks, and what the platform hears of it, on a server with the configuration of `deploy/nats`. */
import { randomUUID } from 'node:crypto';
import { headers, type NatsConnection } from '@nats-io/transport-node';
import type { SecuredServer } from '../harness/secured-server.js';

export const rawSubject = (tenant: number | string, id: string = randomUUID()): string =>
  `stratum.tasks.sync.normal.${tenant}.sync_campaign_data.${id}`;
export const askSubject = (
  tenant: number | string,
  id: string = randomUUID(),
  task = 'sync_campaign_data',
): string => `stratum.enqueue.${tenant}.sync.normal.${task}.${id}`;
export const payload = (tenant: number): string => JSON.stringify({ tenant_id: tenant, platform: 'meta' });

export interface Answer {
  code: string;
  body: Record<string, unknown>;
}

export async function ask(
  connection: NatsConnection,
  subject: string,
  body = '',
  given: Record<string, string> = {},
): Promise<Answer> {
  const own = headers();
  for (const [name, value] of Object.entries(given)) own.set(name, value);
  const reply = await connection.request(subject, body, { timeout: 40_000, headers: own });
  return { code: reply.headers?.get('Nats-Service-Error-Code') ?? '', body: reply.json() };
}

export const awaited = (
  connection: NatsConnection,
  tenant: number,
  id: unknown,
  wait = 30,
): Promise<Answer> => ask(connection, `stratum.await.${tenant}.${String(id)}`, JSON.stringify({ wait }));

/** Nobody answers, or the server says that the account has no JetStream. */
export async function unanswered(connection: NatsConnection, subject: string, body = ''): Promise<boolean> {
  try {
    const reply = await connection.request(subject, body, { timeout: 1_000 });
    return reply.string().includes('JetStream not enabled');
  } catch {
    return true;
  }
}

/** Subjects of the platform that nothing in the test publishes to by right. */
export const TARGETS = [
  'stratum.workers._all.shutdown',
  'stratum.tasks.rules.normal.2.evaluate_rules.target',
  'stratum.delayed.rules.target',
  'stratum.results.target',
  '$KV.task_results.target',
  '$KV.task_control.revoke.id.target',
  '$KV.task_control.rate.evaluate_rules',
  'stratum.dead.rules.evaluate_rules.target',
  'stratum.audit.2',
  'stratum.events.rules.evaluate_rules.success',
  'stratum.domain.2.segment.entered',
  'stratum.workflows.start.2.target',
];

/** What arrives on subjects of the platform, from now on. */
export async function listen(server: SecuredServer): Promise<string[]> {
  const platform = await server.connectAs('platform');
  const heard: string[] = [];
  for (const subject of TARGETS)
    platform.subscribe(subject, { callback: (_error, message) => void heard.push(message.subject) });
  await platform.flush();
  return heard;
}
