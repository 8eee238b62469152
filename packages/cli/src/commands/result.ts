import { withClient } from '../client-session.js';
import { followAndPrint } from '../follow.js';
import { printFinal } from '../record-view.js';

export async function result(id: string, { wait, json }: { wait?: number; json?: boolean }): Promise<void> {
  await withClient(async ({ client }) => {
    const record = await client.status(id);
    if (wait !== undefined) {
      await followAndPrint(client, id, { timeoutMs: wait, queue: record?.queue, json });
      return;
    }
    if (record === undefined)
      throw new Error(`Unknown task "${id}": it was never enqueued, or its result has expired.`);
    printFinal(record, json);
  });
}
