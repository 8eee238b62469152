import {
  type DeadLetter,
  type DeadLetterFilter,
  type DeadLetters,
  type DeadReason,
  type TaskContract,
} from '@stratum/jobs';
import { editedPayload } from '@stratum/shared/dead-letters';
import { progressBar } from '../progress.js';
import { withClient } from '../client-session.js';
import { ago, flexible, optional, printFacts, printJson, printTable, styled } from '../output.js';
import { requireQueue } from '../queue-lookup.js';

interface FilterOptions {
  queue?: string;
  task?: string;
  tenant?: string;
  reason?: DeadReason;
  error?: string;
  since?: Date;
  until?: Date;
}

const COUNTED_AT_ONCE = 1_000;
const SHOWN_CONFLICTS = 20;

function filterOf({ queue, task, tenant, reason, error, since, until }: FilterOptions): DeadLetterFilter {
  return {
    ...(queue === undefined ? {} : { queue }),
    ...(task === undefined ? {} : { task }),
    ...(tenant === undefined ? {} : { tenant }),
    ...(reason === undefined ? {} : { reason }),
    ...(error === undefined ? {} : { errorContains: error }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  };
}

export async function list(
  options: FilterOptions & { limit: number; after?: number; json?: boolean },
): Promise<void> {
  await withClient(async ({ client, topology }) => {
    requireQueue(topology.queues, options.queue);
    const after = options.after === undefined ? {} : { after: options.after };
    const letters = await client.deadLetters.list({ ...filterOf(options), ...after, limit: options.limit });
    if (options.json) {
      printJson(letters);
      return;
    }
    if (letters.length === 0) {
      console.log('There are no dead letters.');
      return;
    }
    printTable(
      ['id', 'task', optional('tenant'), 'reason', 'failed', flexible('error', 30)],
      letters.map((letter) => [
        letter.id,
        letter.task,
        letter.tenant,
        letter.reason,
        ago(letter.at),
        letter.error,
      ]),
    );
    if (letters.length === options.limit) console.log(`Next page: --after ${letters.at(-1)?.sequence}`);
  });
}

export async function show(id: string, { json }: { json?: boolean }): Promise<void> {
  await withClient(async ({ client }) => {
    const letter = await client.deadLetters.get(id);
    if (letter === undefined) throw new Error(`There is no dead letter of task "${id}".`);
    if (json) printJson(letter);
    else printLetter(letter);
  });
}

function printLetter(letter: DeadLetter): void {
  console.log(`${styled('red', letter.reason)}  ${letter.task}  ${letter.id}`);
  const facts: [string, string | number | null][] = [
    ['queue', `${letter.queue} (${letter.priority})`],
    ['tenant', letter.tenant],
    ['error', letter.error],
    ['attempts', letter.attempts],
    ['worker', letter.worker],
    ['enqueued', letter.enqueuedAt],
    ['failed', letter.at],
    ['payload', JSON.stringify(letter.payload)],
  ];
  printFacts(facts);
  if (letter.history.length === 0) return;
  printTable(
    ['attempt', 'at', 'worker', flexible('error')],
    letter.history.map(({ attempt, at, worker, error }) => [attempt, at, worker, error]),
  );
}

interface ReplayFlags extends FilterOptions {
  payload?: unknown;
  expires?: Date | 'never';
  all?: boolean;
  rate: number;
  json?: boolean;
}

export async function replay(id: string | undefined, options: ReplayFlags): Promise<void> {
  requireOne(id, options.all);
  if (id === undefined && options.payload !== undefined)
    throw new Error('--payload replaces the payload of one task; give its id instead of --all.');
  await withClient(async ({ client, tasks, topology }) => {
    requireQueue(topology.queues, options.queue);
    const { replayed, conflicts } =
      id === undefined
        ? await replayMatching(client.deadLetters, options)
        : await replayOne(client.deadLetters, tasks, id, options);
    if (options.json) {
      printJson({ replayed, ...(conflicts.length === 0 ? {} : { conflicts }) });
      return;
    }
    console.log(`Replayed ${replayed}.`);
    if (conflicts.length === 0) return;
    console.log(`${conflicts.length} could not be replayed now, and stay:`);
    printTable(
      ['id', 'reason', flexible('detail', 30)],
      conflicts.slice(0, SHOWN_CONFLICTS).map(({ id: other, code, detail }) => [other, code, detail]),
    );
  });
}

interface Conflict {
  id: string;
  code: string;
  detail: string;
}

interface Replayed {
  replayed: number;
  conflicts: Conflict[];
}

async function replayOne(
  letters: DeadLetters,
  tasks: readonly TaskContract[],
  id: string,
  { payload, expires }: ReplayFlags,
): Promise<Replayed> {
  const letter = payload === undefined ? undefined : await letters.get(id);
  const contract = tasks.find(({ name }) => name === letter?.task);
  await letters.replay(id, {
    ...(letter === undefined
      ? {}
      : { payload: editedPayload(letter, contract, payload), ifSequence: letter.sequence }),
    ...(expires === undefined ? {} : { expires }),
  });
  return { replayed: 1, conflicts: [] };
}

async function replayMatching(letters: DeadLetters, options: ReplayFlags): Promise<Replayed> {
  const { rate, expires } = options;
  const conflicts: Conflict[] = [];
  let replayed = 0;
  const bar = await progressBar('replayed');
  try {
    const filter = filterOf(options);
    const total = await countOf(letters, filter);
    const replays = letters.replayMany(filter, {
      ratePerSecond: rate,
      ...(expires === undefined ? {} : { expires }),
      onConflict: ({ id }, { code, message }) => conflicts.push({ id, code, detail: message }),
    });
    for await (const { id } of replays) bar.advance(++replayed, Math.max(total, replayed), id);
  } finally {
    bar.stop();
  }
  return { replayed, conflicts };
}

export async function discard(
  id: string | undefined,
  options: FilterOptions & { all?: boolean; json?: boolean },
): Promise<void> {
  requireOne(id, options.all);
  await withClient(async ({ client, topology }) => {
    requireQueue(topology.queues, options.queue);
    let discarded = 0;
    if (id === undefined) {
      const bar = await progressBar('discarded');
      try {
        const filter = filterOf(options);
        const total = await countOf(client.deadLetters, filter);
        for await (const letter of client.deadLetters.discardMany(filter))
          bar.advance(++discarded, Math.max(total, discarded), letter.id);
      } finally {
        bar.stop();
      }
    } else if (await client.deadLetters.discard(id)) {
      discarded = 1;
    } else {
      throw new Error(`There is no dead letter of task "${id}".`);
    }
    if (options.json) printJson({ discarded });
    else console.log(`Discarded ${discarded}.`);
  });
}

/** Counts only where a progress bar shows the total. */
async function countOf(letters: DeadLetters, filter: DeadLetterFilter): Promise<number> {
  if (!process.stderr.isTTY) return 0;
  let count = 0;
  for (let after = 0; ;) {
    const page = await letters.list({ ...filter, after, limit: COUNTED_AT_ONCE });
    count += page.length;
    after = page.at(-1)?.sequence ?? 0;
    if (page.length < COUNTED_AT_ONCE) return count;
  }
}

function requireOne(id: string | undefined, all: boolean | undefined): void {
  if ((id === undefined) !== (all === true)) {
    throw new Error(
      'Give the id of a task, or --all, optionally with --queue, --task, --tenant, --reason, --error, --since or --until.',
    );
  }
}
