/** A program that publishes tasks without the framework, well-formed and not. */
import { join } from 'node:path';
import { headers as newHeaders } from '@nats-io/transport-node';
import { jetstream } from '@nats-io/jetstream';
import { JobsError } from '@stratum/jobs';
import { askForAll } from './asking.js';
import { connectPatiently, PREFIX, readEnvironment } from './environment.js';
import { Journal } from './journal.js';
import { planForeign } from './plan-foreign.js';

const environment = readEnvironment();
process.on('disconnect', () => process.exit(0));
const journal = await Journal.open(join(environment.CRASH_JOURNALS, 'foreign'));
const connection = await connectPatiently(environment.NATS_URL, 'crash-foreign');
const broker = jetstream(connection);
process.send?.('ready');
const requests = planForeign(environment.CRASH_SEED, environment.CRASH_FOREIGN, PREFIX).map(
  ({ id, subject, headers: fields, body }) => ({
    id,
    ask: async () => {
      const headers = newHeaders();
      for (const [name, value] of Object.entries(fields)) headers.set(name, value);
      try {
        await broker.publish(subject, body, { headers, timeout: 500 });
      } catch (cause) {
        // This client does not say whether it was stored; the message id makes asking again safe.
        throw new JobsError('publish_unconfirmed', 'no acknowledgement', { cause });
      }
      return id;
    },
  }),
);
await askForAll(journal, requests, environment.CRASH_SECONDS);
process.send?.('done');
await connection.close();
process.disconnect();
