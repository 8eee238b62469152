import { Command, InvalidArgumentError, Option } from 'commander';
import { isFinal, parsePayload, PRIORITIES, type Priority, type TaskContract } from '@stratum/jobs';
import { TASKS } from '@stratum/shared';
import { parseDuration } from '../duration.js';
import { withClient } from '../environment.js';
import { printJson } from '../output.js';
import { printRecord } from '../record-view.js';

interface CallOptions {
  delay?: number;
  priority?: Priority;
  tenant?: string;
  id?: string;
  maxRetries?: number;
  uniqueKey?: string;
  expires?: number;
  wait?: number | true;
  json?: boolean;
}

const DEFAULT_WAIT_MS = 60_000;

export function callCommand(): Command {
  return new Command('call')
    .description('Enqueue a task.')
    .argument('<task>', 'name of the task')
    .argument('[payload]', 'its payload, a JSON object', parseObject, {})
    .option('--delay <duration>', 'start no earlier than this from now, for example 60s', parseDuration)
    .addOption(new Option('--priority <lane>', 'lane within the queue').choices(PRIORITIES))
    .option('--tenant <id>', 'whose task it is; default: taken from the payload')
    .option('--id <id>', 'id of the task; default: a new one')
    .option('--max-retries <count>', 'retries after the first attempt', Number)
    .option('--unique-key <text>', 'refuse while another one with this key is queued or running')
    .option('--expires <duration>', 'do not start it later than this from now', parseDuration)
    .option('--wait [duration]', 'wait for the result, 60s unless told', parseDuration)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `\nExample:\n  stratum call sync_campaign_data '{"tenant_id":1,"platform":"meta"}' --wait`,
    )
    .action(call);
}

async function call(name: string, payload: object, options: CallOptions): Promise<void> {
  const contract = findTask(name);
  parsePayload(contract, payload);
  const { delay, expires, wait, json, ...rest } = options;
  await withClient(async ({ client }) => {
    const enqueued = await client.enqueue(contract, payload, {
      ...rest,
      ...(delay === undefined ? {} : { delayMs: delay }),
      ...(expires === undefined ? {} : { expires: new Date(Date.now() + expires) }),
    });
    if (wait === undefined) {
      if (json) printJson(enqueued);
      else console.log(enqueued.duplicate ? `${enqueued.id} (already enqueued)` : enqueued.id);
      return;
    }
    const timeoutMs = (wait === true ? DEFAULT_WAIT_MS : wait) + (delay ?? 0);
    const record = await client.result(enqueued.id, { timeoutMs });
    if (json) printJson(record);
    else printRecord(record);
    if (isFinal(record.state) && record.state !== 'SUCCESS') process.exitCode = 1;
  });
}

function findTask(name: string): TaskContract {
  const contract = TASKS.find((task) => task.name === name);
  if (contract !== undefined) return contract;
  throw new Error(`There is no task "${name}". The tasks are: ${TASKS.map((task) => task.name).join(', ')}.`);
}

function parseObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Falls through to the same advice.
  }
  throw new InvalidArgumentError(`The payload must be a JSON object, for example '{"tenant_id":1}'.`);
}
