import type { JobsClient } from '@stratum/jobs';
import { withClient } from '../client-session.js';
import { followAndPrint } from '../follow.js';
import { printJson } from '../output.js';
import { printFinal } from '../record-view.js';
import { printOutcome, printWorkflow } from '../workflow-view.js';

interface ResultOptions {
  wait?: number;
  json?: boolean;
}

export async function result(id: string, options: ResultOptions): Promise<void> {
  const { wait, json } = options;
  await withClient(async ({ client }) => {
    const record = await client.status(id);
    if (record === undefined && (await showWorkflow(client, id, options))) return;
    if (wait !== undefined) {
      await followAndPrint(client, id, { timeoutMs: wait, queue: record?.queue, json });
      return;
    }
    if (record === undefined)
      throw new Error(`Unknown task or workflow "${id}": it was never enqueued, or its result has expired.`);
    printFinal(record, json, record.payload ?? (await client.maskedPayload(id)));
  });
}

/** `false` when there is none of that id. */
async function showWorkflow(client: JobsClient, id: string, { wait, json }: ResultOptions): Promise<boolean> {
  const view = await client.workflows.get(id);
  if (view === undefined) return false;
  if (view.finished_at === null && wait === undefined) {
    if (json) printJson(view);
    else printWorkflow(view);
    return true;
  }
  const outcome = await client.workflows.result(id, wait === undefined ? {} : { timeoutMs: wait });
  if (json) printJson(outcome);
  else printOutcome(outcome);
  if (outcome.state !== 'SUCCESS') process.exitCode = 1;
  return true;
}
