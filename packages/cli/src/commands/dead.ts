import {
  parsePayload,
  type DeadLetter,
  type DeadLetterFilter,
  type DeadLetters,
  type DeadReason,
  type TaskContract,
} from '@stratum/jobs';
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
}

const COUNTED_AT_ONCE = 1_000;

function filterOf({ queue, task, tenant, reason, error }: FilterOptions): DeadLetterFilter {
  return {
    ...(queue === undefined ? {} : { queue }),
    ...(task === undefined ? {} : { task }),
    ...(tenant === undefined ? {} : { tenant }),
    ...(reason === undefined ? {} : { reason }),
    ...(error === undefined ? {} : { errorContains: error }),
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

export async function replay(
  id: string | undefined,
  options: FilterOptions & { payload?: unknown; all?: boolean; rate: number; json?: boolean },
): Promise<void> {
  requireOne(id, options.all);
  await withClient(async ({ client, tasks, topology }) => {
    requireQueue(topology.queues, options.queue);
    let replayed = 0;
    if (id !== undefined) {
      if (options.payload !== undefined)
        checkPayload(tasks, (await client.deadLetters.get(id))?.task, options.payload);
      await client.deadLetters.replay(id, options.payload === undefined ? {} : { payload: options.payload });
      replayed = 1;
    } else {
      const bar = progressBar('replayed');
      try {
        const filter = filterOf(options);
        const total = await countOf(client.deadLetters, filter);
        for await (const { id: next } of client.deadLetters.replayMany(filter, {
          ratePerSecond: options.rate,
        }))
          bar.advance(++replayed, Math.max(total, replayed), next);
      } finally {
        bar.stop();
      }
    }
    if (options.json) printJson({ replayed });
    else console.log(`Replayed ${replayed}.`);
  });
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
      const bar = progressBar('discarded');
      try {
        const filter = filterOf(options);
        const total = await countOf(client.deadLetters, filter);
        for (;;) {
          const letters = await client.deadLetters.list(filter);
          if (letters.length === 0) break;
          for (const letter of letters) {
            if (await client.deadLetters.discard(letter.id)) discarded++;
            bar.advance(discarded, Math.max(total, discarded));
          }
        }
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
      'Give the id of a task, or --all, optionally with --queue, --task, --tenant, --reason or --error.',
    );
  }
}

/** Refuses a payload that would fail again. */
function checkPayload(tasks: readonly TaskContract[], task: string | undefined, payload: unknown): void {
  const contract = tasks.find(({ name }) => name === task);
  if (contract !== undefined) parsePayload(contract, payload);
}
