import { parsePayload, type DebounceOptions, type Priority } from '@stratum/jobs';
import { payloadSchema } from '@stratum/shared';
import { withClient } from '../client-session.js';
import { printJson } from '../output.js';
import { followAndPrint } from '../follow.js';
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
  uniqueFor?: number;
  debounce?: string;
  quiet?: number;
  atTheLatest?: number;
  expires?: number;
  wait?: number | true;
  json?: boolean;
}

const DEFAULT_WAIT_MS = 60_000;
const DEFAULT_QUIET_MS = 30_000;

export async function call(name: string, given: object | undefined, options: CallOptions): Promise<void> {
  const contract = await findTask(name);
  const {
    delay,
    expires,
    wait,
    json,
    field,
    debounce: key,
    quiet,
    atTheLatest,
    uniqueFor,
    ...rest
  } = options;
  const debounce = debounceOf(key, quiet, atTheLatest);
  const payload = { ...given, ...field };
  parsePayload(contract, payload);
  await withClient(async ({ client }) => {
    const enqueued = await client.enqueue(contract, payload, {
      ...rest,
      ...(delay === undefined ? {} : { delayMs: delay }),
      ...(uniqueFor === undefined ? {} : { uniqueForMs: uniqueFor }),
      ...(debounce === undefined ? {} : { debounce }),
      ...(expires === undefined ? {} : { expires: new Date(Date.now() + expires) }),
    });
    if (wait === undefined) {
      if (json) printJson(enqueued);
      else console.log(enqueued.duplicate ? `${enqueued.id} (already enqueued)` : enqueued.id);
      return;
    }
    const timeoutMs = (wait === true ? DEFAULT_WAIT_MS : wait) + (delay ?? debounce?.quietMs ?? 0);
    // At once, for other commands during the wait. With --json, standard output holds the record alone.
    (json ? console.error : console.log)(
      enqueued.duplicate ? `${enqueued.id} (already enqueued)` : enqueued.id,
    );
    await followAndPrint(client, enqueued.id, { timeoutMs, queue: contract.queue, json });
  });
}

function debounceOf(
  key: string | undefined,
  quiet: number | undefined,
  atTheLatest: number | undefined,
): DebounceOptions | undefined {
  if (key !== undefined)
    return {
      key,
      quietMs: quiet ?? DEFAULT_QUIET_MS,
      ...(atTheLatest === undefined ? {} : { maxMs: atTheLatest }),
    };
  if (quiet === undefined && atTheLatest === undefined) return undefined;
  throw new Error(`${quiet === undefined ? '--at-the-latest' : '--quiet'} needs --debounce <key>.`);
}

/** The fields of the payload of the task type that is named; nothing where none is. */
export async function payloadHelp(name: string | undefined): Promise<string> {
  if (name === undefined || name.startsWith('-')) return '';
  const fields = fieldsOf(payloadSchema(await findTask(name), 'draft-2020-12'));
  const lines = fields.map(
    (field) =>
      `  ${field.name.padEnd(18)} ${[field.type, field.required ? 'required' : '', field.notes].filter(Boolean).join('; ')}`,
  );
  return `\n\nPayload of ${name}:\n${lines.length === 0 ? '  no fields' : lines.join('\n')}`;
}
