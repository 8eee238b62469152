import { setTimeout as delay } from 'node:timers/promises';
import {
  Operations,
  type Operation,
  type OperationAction,
  type OperationDetail,
  type Verb,
} from '@stratum/shared/operations';
import { operatorName } from '../audit/operator-events.js';
import { withPlatformClient } from '../client-session.js';
import { confirm } from '../confirm.js';
import { withDatabase } from '../database-session.js';
import { typed } from '../frame/invocation.js';
import { ago, flexible, printFacts, printJson, printTable } from '../output.js';

interface JsonOption {
  json?: boolean;
}

interface StartFlags extends JsonOption {
  dryRun?: boolean;
  rate: number;
  yes?: boolean;
  wait?: boolean;
}

type RecordChange = Parameters<Operations['act']>[3];

const LOOK_EVERY_MS = 500;
const OPEN = new Set(['running', 'paused', 'undoing']);

export async function list({ json }: JsonOption): Promise<void> {
  const operations = await withOperations((all) => all.list());
  if (json) return printJson(operations);
  if (operations.length === 0)
    return console.log(`No operations. Begin with: ${typed("operations start cancel 'task:…' --dry-run")}`);
  printTable(
    ['id', 'state', 'operation', flexible('search', 20), 'done', 'stayed', 'of', 'begins'],
    operations.map((each) => [
      each.id,
      each.state,
      each.verb,
      each.query,
      each.done + each.restored,
      each.kept,
      each.counted,
      ago(each.begins_at),
    ]),
  );
}

export async function show(id: string, { json }: JsonOption): Promise<void> {
  print(await withOperations((operations) => operations.find(id)), json);
}

export async function start(verb: Verb, query: string, flags: StartFlags): Promise<void> {
  const { dryRun, rate, yes, wait, json } = flags;
  const ended = await withOperations(async (operations, record) => {
    const actor = operatorName();
    const found = await operations.dryRun('search', { verb, query, actor });
    if (dryRun || found.counted === 0) return found;
    if (!json) printDetail(found);
    const number = String(found.counted);
    const question = `${consequence(verb)} Type the number of tasks, ${number}, to confirm: `;
    if (!yes && !(await confirm(question, number))) throw new Error('Nothing was changed.');
    const options = { rate, confirm: number, actor, mayChangeLetters: true };
    const started = await operations.start(found.id, options, record);
    return wait ? endOf(operations, started) : started;
  });
  print(ended, json);
  if (!json && ended.state === 'running')
    console.log(
      `It begins in ten seconds. Until then nothing is touched by: ${typed(`operations stop ${ended.id}`)}`,
    );
}

function consequence(verb: Verb): string {
  if (verb === 'discard') return 'Discarded letters can be put back for a day, and are lost then.';
  return verb === 'cancel' ? 'Cancelled tasks cannot be put back.' : 'A replay cannot be taken back.';
}

export const pause = actOf('pause');
export const resume = actOf('resume');
export const stop = actOf('stop');
export const undo = actOf('undo');

function actOf(action: OperationAction): (id: string, options: JsonOption) => Promise<void> {
  return async (id, { json }) => {
    print(await withOperations((operations, record) => operations.act(id, action, true, record)), json);
  };
}

async function endOf(operations: Operations, { id }: Operation): Promise<OperationDetail> {
  for (;;) {
    const now = await operations.find(id);
    if (!OPEN.has(now.state)) return now;
    await delay(LOOK_EVERY_MS);
  }
}

function withOperations<T>(work: (operations: Operations, record: RecordChange) => Promise<T>): Promise<T> {
  return withDatabase({ role: 'stratum_api' }, (pool) =>
    withPlatformClient(({ connection, topology, record }) =>
      work(new Operations({ pool, connection, topology }), record),
    ),
  );
}

function print(operation: OperationDetail, json: boolean | undefined): void {
  if (json) printJson(operation);
  else printDetail(operation);
}

function printDetail(operation: OperationDetail): void {
  const { id, verb, query, state, counted, complete, rate, by } = operation;
  console.log(`${verb} ${query}  ${state}  ${id}`);
  printFacts([
    ['tasks', complete ? String(counted) : `${counted}, and more match: one operation takes no more`],
    ...Object.entries(by).map(([name, groups]): [string, string] => [
      name === 'was' ? 'state' : name,
      groups.map((each) => `${each.name} ${each.n}`).join(', '),
    ]),
    ...(state === 'draft'
      ? []
      : ([
          ['rate', `${rate}/s`],
          ['done', operation.done],
          ['stayed', operation.kept],
          ['nothing left to do', operation.gone],
          ['put back', operation.restored],
        ] satisfies [string, string | number][])),
  ]);
  if (operation.items.length === 0) return;
  printTable(
    ['id', 'task', 'tenant', flexible('why', 30)],
    operation.items.map((item) => [item.id, item.task, item.tenant, item.detail]),
  );
}
