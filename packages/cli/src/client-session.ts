/** Sessions with a client of an application's queues. */
import { createClient, type JobsClient, type TaskContract } from '@stratum/jobs';
import { TASKS } from '@stratum/shared';
import { auditedClient } from './audit/audited-client.js';
import { operatorEvents, type RecordEvent } from './audit/operator-events.js';
import { tasksOf } from './application.js';
import { withBroker, type BrokerSession } from './broker-session.js';

export interface Session extends BrokerSession {
  tasks: readonly TaskContract[];
  client: JobsClient;
  record: RecordEvent;
}

/** Runs `work` with a client of the application's queues, whose changes are in the audit log, and closes everything afterwards. */
export function withClient<T>(work: (session: Session) => Promise<T>): Promise<T> {
  return withBroker(async (session) => {
    const tasks = await tasksOf(session.topology);
    return useClient({ ...session, tasks }, (opened) =>
      work({ ...opened, client: auditedClient(opened.client, opened.record) }),
    );
  });
}

/** For work that belongs to the platform, in any directory. Commands on a tenant's data record what they do themselves. */
export function withPlatformClient<T>(work: (session: Session) => Promise<T>): Promise<T> {
  return withBroker((session) => useClient({ ...session, tasks: TASKS }, work), { platform: true });
}

async function useClient<T>(
  session: Omit<Session, 'client' | 'record'>,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const { connection, topology, tasks } = session;
  const client = createClient({ connection, topology, contracts: tasks });
  const record = operatorEvents(connection, { create: tasks === TASKS });
  try {
    return await work({ ...session, client, record });
  } finally {
    await client.close();
  }
}
