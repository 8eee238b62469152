/** The client of the platform's queues that commands work with. */
import { createClient, type JobsClient } from '@stratum/jobs';
import { TASKS } from '@stratum/shared';
import { withBroker, type BrokerSession } from './broker-session.js';

export interface Session extends BrokerSession {
  client: JobsClient;
}

/** Runs `work` with a client, and closes everything afterwards. */
export function withClient<T>(work: (session: Session) => Promise<T>): Promise<T> {
  return withBroker(async (session) => {
    const client = createClient({ ...session, contracts: TASKS });
    try {
      return await work({ ...session, client });
    } finally {
      await client.close();
    }
  });
}
