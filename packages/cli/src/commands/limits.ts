import { keyLimitInForce, type KeyLimit, type KeyLimitSetting, type Rate } from '@stratum/jobs';
import { localApplication } from '../application.js';
import { withClient } from '../client-session.js';
import { durationText } from '../duration.js';
import { didYouMean } from '../frame/near-names.js';
import { typed } from '../frame/invocation.js';
import { printJson, printTable } from '../output.js';
import { findTask } from '../task-contracts.js';

interface JsonOption {
  json?: boolean;
}

interface SetOptions extends JsonOption {
  concurrency?: number | 'none';
  rate?: Rate | 'none';
}

interface InForce {
  /** `null`: no limit. */
  concurrency: number | null;
  rate: { limit: number; per_ms: number } | null;
  set_by: 'operator' | 'contract';
}

export async function listLimits({ json }: JsonOption): Promise<void> {
  const { tasks } = await localApplication();
  const [settings, waits] = await withClient(({ client }) =>
    Promise.all([client.control.keyLimits(), client.control.keyWaits()]),
  );
  const limits = tasks.flatMap(({ name: task, keyLimits = [] }) =>
    keyLimits.map((limit) => ({
      task,
      name: limit.name,
      key: limit.paths?.join(', ') ?? 'function',
      ...inForce(
        limit,
        settings.find((each) => each.task === task && each.name === limit.name),
      ),
    })),
  );
  if (json) {
    printJson({ limits, keys: waits.map(({ gate: _gate, ...wait }) => wait) });
    return;
  }
  if (limits.length === 0) console.log('No contract declares a limit by key.');
  else
    printTable(
      ['task', 'limit', 'key', 'at once', 'rate', 'set by'],
      limits.map((each) => [
        each.task,
        each.name,
        each.key,
        each.concurrency ?? '',
        each.rate === null ? '' : `${each.rate.limit}/${durationText(each.rate.per_ms)}`,
        each.set_by,
      ]),
    );
  if (waits.length === 0) return;
  console.log();
  printTable(
    ['task', 'limit', 'key', 'running', 'at once', 'waiting'],
    waits.map((wait) => [wait.task, wait.name, wait.key, wait.running, wait.concurrency, wait.waiting]),
  );
}

export async function setLimit(task: string, name: string, options: SetOptions): Promise<void> {
  const { concurrency, rate, json } = options;
  if (concurrency === undefined && rate === undefined)
    throw new Error('Give --concurrency, --rate, or both.');
  await findLimit(task, name);
  await withClient(({ client }) =>
    client.control.setKeyLimit(task, name, {
      ...(concurrency === undefined ? {} : { concurrency: concurrency === 'none' ? null : concurrency }),
      ...(rate === undefined ? {} : { rate: rate === 'none' ? null : rate }),
    }),
  );
  const starts = rate === undefined || rate === 'none' ? rate : { limit: rate.limit, per_ms: rate.perMs };
  if (json) printJson({ task, name, concurrency: concurrency ?? null, rate: starts ?? null });
  else console.log(`The limit ${name} of ${task} is changed.`);
}

export async function resetLimit(task: string, name: string, { json }: JsonOption): Promise<void> {
  await findLimit(task, name);
  await withClient(({ client }) => client.control.setKeyLimit(task, name, undefined));
  if (json) printJson({ task, name });
  else console.log(`The limit ${name} of ${task} is what its contract says.`);
}

async function findLimit(task: string, name: string): Promise<KeyLimit> {
  const { keyLimits = [] } = await findTask(task);
  const limit = keyLimits.find((each) => each.name === name);
  if (limit !== undefined) return limit;
  const names = keyLimits.map((each) => each.name);
  const advice = didYouMean(name, names, `List the limits with: ${typed('limits list')}`);
  throw new Error(`The task ${task} has no limit "${name}". ${advice}`);
}

function inForce(limit: KeyLimit, set: KeyLimitSetting | undefined): InForce {
  const { concurrency = null, rate } = keyLimitInForce(limit, set);
  return {
    concurrency,
    rate: rate === undefined ? null : { limit: rate.limit, per_ms: rate.perMs },
    set_by: set === undefined ? 'contract' : 'operator',
  };
}
