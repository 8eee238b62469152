import { readFile } from 'node:fs/promises';
import { parseInput } from '../input-file.js';
import type { WorkflowDefinition, WorkflowState } from '@stratum/jobs';
import { withClient } from '../client-session.js';
import { ago, flexible, printJson, printTable } from '../output.js';
import { printOutcome, printWorkflow } from '../workflow-view.js';

interface StartOptions {
  id?: string;
  tenant?: string;
  wait?: number | true;
  json?: boolean;
}

interface ListOptions {
  tenant?: string;
  state?: WorkflowState;
  limit: number;
  before?: number;
  json?: boolean;
}

const DEFAULT_WAIT_MS = 60_000;

export async function start(source: string, { id, tenant, wait, json }: StartOptions): Promise<void> {
  const definition = await readDefinition(source);
  await withClient(async ({ client: { workflows } }) => {
    const started = await workflows.start(definition, {
      ...(id === undefined ? {} : { id }),
      ...(tenant === undefined ? {} : { tenant }),
    });
    if (wait === undefined) {
      if (json) printJson(started);
      else console.log(started.duplicate ? `${started.id} (already started)` : started.id);
      return;
    }
    const outcome = await workflows.result(started.id, { timeoutMs: wait === true ? DEFAULT_WAIT_MS : wait });
    if (json) printJson(outcome);
    else printOutcome(outcome);
    if (outcome.state !== 'SUCCESS') process.exitCode = 1;
  });
}

export async function show(id: string, { json }: { json?: boolean }): Promise<void> {
  await withClient(async ({ client }) => {
    const view = await client.workflows.get(id);
    if (view === undefined) throw unknown(id);
    if (json) printJson(view);
    else printWorkflow(view);
  });
}

export async function cancel(
  id: string,
  { terminate = false, json }: { terminate?: boolean; json?: boolean },
): Promise<void> {
  await withClient(async ({ client }) => {
    const result = await client.workflows.cancel(id, { terminate });
    if (result === 'unknown') throw unknown(id);
    if (json) printJson({ result });
    else console.log(result === 'cancelled' ? 'Cancelled.' : 'Too late: the workflow has ended.');
    if (result === 'ended') process.exitCode = 1;
  });
}

export async function list({ json, ...options }: ListOptions): Promise<void> {
  await withClient(async ({ client }) => {
    const { workflows, next } = await client.workflows.list(options);
    if (json) {
      printJson({ workflows, next });
      return;
    }
    if (workflows.length === 0) {
      console.log('There are no workflows.');
      return;
    }
    printTable(
      ['id', 'state', 'tenant', 'started', 'ms', flexible('failed at')],
      workflows.map((each) => [
        each.id,
        each.state,
        each.tenant,
        ago(each.started_at),
        each.runtime_ms,
        each.failed === null ? null : `${each.failed.path} ${each.failed.task}`,
      ]),
    );
    if (next !== null) console.log(`Next page: --before ${next}`);
  });
}

async function readDefinition(source: string): Promise<WorkflowDefinition> {
  const isInline = source.trimStart().startsWith('{');
  const text = isInline ? source : await readFile(source === '-' ? '/dev/stdin' : source, 'utf8');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `start` checks it, and names what is wrong
  return parseInput(text, 'The definition') as WorkflowDefinition;
}

function unknown(id: string): Error {
  return new Error(`Unknown workflow "${id}".`);
}
