import { readFile } from 'node:fs/promises';
import { WORKFLOW_STATES, type WorkflowDefinition, type WorkflowState } from '@stratum/jobs';
import { Command, Option } from 'commander';
import { parseCount } from '../arguments.js';
import { parseDuration } from '../duration.js';
import { withClient } from '../environment.js';
import { printJson, printTable } from '../output.js';
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

export function workflowCommand(): Command {
  return new Command('workflow')
    .description('Start chains, groups and chords of tasks, look at them, take them back.')
    .addCommand(
      new Command('start')
        .description('Start a workflow.')
        .argument(
          '<definition>',
          'a JSON object, the path of a file that holds one, or - for the standard input',
        )
        .option('--id <id>', 'id of the workflow; default: a new one')
        .option('--tenant <id>', 'whose work it is; default: what its payloads say')
        .option('--wait [duration]', 'wait for its end, 60s unless told', parseDuration)
        .option('--json', 'print JSON')
        .addHelpText(
          'after',
          `\nExample:\n  stratum workflow start --wait '{"chain": [{"task": "sync_campaign_data", "payload": {"tenant_id": 1, "platform": "meta"}},\n    {"task": "evaluate_rules", "payload": {"tenant_id": 1}}]}'`,
        )
        .action(start),
    )
    .addCommand(
      new Command('show')
        .description('Show a workflow with all its steps.')
        .argument('<id>', 'id of the workflow')
        .option('--json', 'print JSON')
        .addHelpText('after', '\nExample:\n  stratum workflow show nightly-report')
        .action(show),
    )
    .addCommand(
      new Command('cancel')
        .description('Take a workflow back: what waits, what runs, and what would follow.')
        .argument('<id>', 'id of the workflow')
        .option('--terminate', 'end running steps at once')
        .option('--json', 'print JSON')
        .addHelpText('after', '\nExample:\n  stratum workflow cancel nightly-report')
        .action(cancel),
    )
    .addCommand(
      new Command('list')
        .description('List workflows, the newest first.')
        .option('--tenant <id>', 'only those of this tenant')
        .addOption(new Option('--state <state>', 'only those in this state').choices(WORKFLOW_STATES))
        .option('--limit <count>', 'most workflows to list', parseCount, 50)
        .option('--before <number>', 'the next page', parseCount)
        .option('--json', 'print JSON')
        .addHelpText('after', '\nExample:\n  stratum workflow list --state FAILURE')
        .action(list),
    );
}

async function start(source: string, { id, tenant, wait, json }: StartOptions): Promise<void> {
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

async function show(id: string, { json }: { json?: boolean }): Promise<void> {
  await withClient(async ({ client }) => {
    const view = await client.workflows.get(id);
    if (view === undefined) throw unknown(id);
    if (json) printJson(view);
    else printWorkflow(view);
  });
}

async function cancel(
  id: string,
  { terminate = false, json }: { terminate?: boolean; json?: boolean },
): Promise<void> {
  await withClient(async ({ client }) => {
    const result = await client.workflows.cancel(id, { terminate });
    if (result === 'unknown') throw unknown(id);
    if (json) printJson({ result });
    else console.log(result === 'cancelled' ? 'Cancelled.' : 'Too late: it has ended.');
    if (result === 'ended') process.exitCode = 1;
  });
}

async function list({ json, ...options }: ListOptions): Promise<void> {
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
      ['started', 'id', 'tenant', 'state', 'ms', 'failed at'],
      workflows.map((each) => [
        each.started_at,
        each.id,
        each.tenant,
        each.state,
        each.runtime_ms,
        each.failed === null ? null : `${each.failed.path} ${each.failed.task}`,
      ]),
    );
    if (next !== null) console.log(`More: --before ${next}`);
  });
}

async function readDefinition(source: string): Promise<WorkflowDefinition> {
  const isInline = source.trimStart().startsWith('{');
  const text = isInline ? source : await readFile(source === '-' ? '/dev/stdin' : source, 'utf8');
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(
      `The definition must be JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        cause,
      },
    );
  }
}

function unknown(id: string): Error {
  return new Error(`There is no workflow "${id}".`);
}
