import { Command, Option } from 'commander';
import { isFinal, parsePayload, PRIORITIES, type Priority } from '@stratum/jobs';
import { collectField, parseNumber, parseObject } from '../arguments.js';
import { payloadSchema } from '../contracts/json-schemas.js';
import { parseDuration } from '../duration.js';
import { withClient } from '../environment.js';
import { printJson } from '../output.js';
import { followToEnd } from '../follow.js';
import { printRecord } from '../record-view.js';
import { fieldsOf } from '../schema-view.js';
import { findTask } from '../task-contracts.js';

interface CallOptions {
  field?: Record<string, unknown>;
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
    .argument('[payload]', 'its payload, a JSON object; default: {}', parseObject)
    .option(
      '-f, --field <name=value...>',
      'a field of the payload, instead of JSON or besides it',
      collectField,
    )
    .option('--delay <duration>', 'start no earlier than this from now, for example 60s', parseDuration)
    .addOption(new Option('--priority <lane>', 'lane within the queue').choices(PRIORITIES))
    .option('--tenant <id>', 'whose task it is; default: taken from the payload')
    .option('--id <id>', 'id of the task; default: a new one')
    .option('--max-retries <count>', 'retries after the first attempt', parseNumber)
    .option('--unique-key <text>', 'refuse while another one with this key is queued or running')
    .option('--expires <duration>', 'do not start it later than this from now', parseDuration)
    .option('--wait [duration]', 'wait for the result, 60s unless told', parseDuration)
    .option('--json', 'print JSON')
    .addHelpText('after', ({ command }) => fieldsHelp(command.args[0]))
    .addHelpText(
      'after',
      `
Examples:
  stratum call sync_campaign_data '{"tenant_id":1,"platform":"meta"}' --wait
  stratum call sync_campaign_data -f tenant_id=1 -f platform=google --delay 60s
  stratum call sync_campaign_data --help        (with the fields of its payload)`,
    )
    .action(call);
}

async function call(name: string, given: object | undefined, options: CallOptions): Promise<void> {
  const contract = findTask(name);
  const { delay, expires, wait, json, field, ...rest } = options;
  const payload = { ...given, ...field };
  parsePayload(contract, payload);
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
    const record = await followToEnd(client, enqueued.id, timeoutMs);
    if (json) printJson(record);
    else printRecord(record);
    if (isFinal(record.state) && record.state !== 'SUCCESS') process.exitCode = 1;
  });
}

/** What the task that is named takes; nothing where none is. */
function fieldsHelp(name: string | undefined): string {
  if (name === undefined || name.startsWith('-')) return '';
  const fields = fieldsOf(payloadSchema(findTask(name), 'draft-2020-12'));
  const lines = fields.map(
    (field) =>
      `  ${field.name.padEnd(18)} ${[field.type, field.required ? 'required' : '', field.notes].filter(Boolean).join('; ')}`,
  );
  return `\nPayload of ${name}:\n${lines.length === 0 ? '  no fields' : lines.join('\n')}`;
}
