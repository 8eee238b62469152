/** Sessions with a client of an application's queues. */
import { createClient, type JobsClient, type TaskContract } from '@stratum/jobs';
import { TASKS } from '@stratum/shared';
import { tasksOf } from './application.js';
import { withBroker, type BrokerSession } from './broker-session.js';

export interface Session extends BrokerSession {
  tasks: readonly TaskContract[];
  client: JobsClient;
}

/** Runs `work` with a client of the application's queues, and closes everything afterwards. */
export function withClient<T>(work: (session: Session) => Promise<T>): Promise<T> {
  return withBroker(async (session) =>
    useClient({ ...session, tasks: await tasksOf(session.topology) }, work),
  );
}

/** Like `withClient`, for work that belongs to the platform, in any directory. */
export function withPlatformClient<T>(work: (session: Session) => Promise<T>): Promise<T> {
  return withBroker((session) => useClient({ ...session, tasks: TASKS }, work), { platform: true });
}

async function useClient<T>(
  session: Omit<Session, 'client'>,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const { connection, topology, tasks } = session;
  const client = createClient({ connection, topology, contracts: tasks });
  try {
    return await work({ ...session, client });
  } finally {
    await client.close();
  }
}
