import {
  DEAD_REASONS,
  parsePayload,
  type DeadLetter,
  type DeadLetterFilter,
  type DeadLetters,
  type DeadReason,
} from '@stratum/jobs';
import { TASKS } from '@stratum/shared';
import { Command, InvalidArgumentError, Option } from 'commander';
import { parseCount, parseNumber } from '../arguments.js';
import { progressBar } from '../progress.js';
import { withClient } from '../environment.js';
import { printJson, printTable, styled } from '../output.js';

interface FilterOptions {
  queue?: string;
  task?: string;
  tenant?: string;
  reason?: DeadReason;
  error?: string;
}

const ERROR_WIDTH = 60;
const COUNTED_AT_ONCE = 1_000;

export function deadCommand(): Command {
  return new Command('dead')
    .description('Look at tasks that failed for good, run them again, or throw them away.')
    .addCommand(
      withFilter(new Command('list'))
        .description('List dead letters, the oldest first.')
        .option('--limit <count>', 'at most so many', parseCount, 50)
        .option('--after <sequence>', 'only those behind this one: the next page', parseNumber)
        .option('--json', 'print JSON')
        .addHelpText(
          'after',
          '\nExample:\n  stratum dead list --task sync_campaign_data --reason max_retries',
        )
        .action(list),
    )
    .addCommand(
      new Command('show')
        .description('Show a dead letter with its payload and history.')
        .argument('<id>', 'id of the task')
        .option('--json', 'print JSON')
        .addHelpText('after', '\nExample:\n  stratum dead show my-id-1')
        .action(show),
    )
    .addCommand(
      withFilter(new Command('replay'))
        .description('Run a task again with fresh retries, or all that match.')
        .argument('[id]', 'id of the task')
        .option('--payload <json>', 'with this payload instead', parseJson)
        .option('--all', 'every one that matches the filter')
        .option('--rate <per second>', 'at most so many a second', parseCount, 100)
        .option('--json', 'print JSON')
        .addHelpText(
          'after',
          `\nExamples:\n  stratum dead replay my-id-1 --payload '{"tenant_id":1,"platform":"meta"}'\n  stratum dead replay --all --task sync_campaign_data --rate 10`,
        )
        .action(replay),
    )
    .addCommand(
      withFilter(new Command('discard'))
        .description('Throw a dead letter away, or all that match.')
        .argument('[id]', 'id of the task')
        .option('--all', 'every one that matches the filter')
        .option('--json', 'print JSON')
        .addHelpText('after', '\nExample:\n  stratum dead discard --all --reason invalid_payload')
        .action(discard),
    );
}

function withFilter(command: Command): Command {
  return command
    .option('--queue <queue>', 'only those of this queue')
    .option('--task <task>', 'only those of this kind')
    .option('--tenant <id>', 'only those of this tenant')
    .addOption(new Option('--reason <reason>', 'only those that died of this').choices(DEAD_REASONS))
    .option('--error <text>', 'only those whose error contains this');
}

function filterOf({ queue, task, tenant, reason, error }: FilterOptions): DeadLetterFilter {
  return {
    ...(queue === undefined ? {} : { queue }),
    ...(task === undefined ? {} : { task }),
    ...(tenant === undefined ? {} : { tenant }),
    ...(reason === undefined ? {} : { reason }),
    ...(error === undefined ? {} : { errorContains: error }),
  };
}

async function list(
  options: FilterOptions & { limit: number; after?: number; json?: boolean },
): Promise<void> {
  await withClient(async ({ client }) => {
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
      ['at', 'task', 'id', 'tenant', 'reason', 'error'],
      letters.map((letter) => [
        letter.at,
        letter.task,
        letter.id,
        letter.tenant,
        letter.reason,
        letter.error.slice(0, ERROR_WIDTH),
      ]),
    );
    if (letters.length === options.limit) console.log(`More: --after ${letters.at(-1)?.sequence}`);
  });
}

async function show(id: string, { json }: { json?: boolean }): Promise<void> {
  await withClient(async ({ client }) => {
    const letter = await client.deadLetters.get(id);
    if (letter === undefined) throw new Error(`There is no dead letter of a task "${id}".`);
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
    ['buried', letter.at],
    ['payload', JSON.stringify(letter.payload)],
  ];
  for (const [name, value] of facts) if (value !== null) console.log(`  ${name.padEnd(9)} ${value}`);
  if (letter.history.length === 0) return;
  printTable(
    ['attempt', 'at', 'worker', 'error'],
    letter.history.map(({ attempt, at, worker, error }) => [attempt, at, worker, error]),
  );
}

async function replay(
  id: string | undefined,
  options: FilterOptions & { payload?: unknown; all?: boolean; rate: number; json?: boolean },
): Promise<void> {
  requireOne(id, options.all);
  await withClient(async ({ client }) => {
    let replayed = 0;
    if (id !== undefined) {
      if (options.payload !== undefined)
        checkPayload((await client.deadLetters.get(id))?.task, options.payload);
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

async function discard(
  id: string | undefined,
  options: FilterOptions & { all?: boolean; json?: boolean },
): Promise<void> {
  requireOne(id, options.all);
  await withClient(async ({ client }) => {
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
      throw new Error(`There is no dead letter of a task "${id}".`);
    }
    if (options.json) printJson({ discarded });
    else console.log(`Discarded ${discarded}.`);
  });
}

/** For a bar that nobody sees nothing is counted. */
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
      'Give the id of one task, or --all with some of --queue, --task, --tenant, --reason and --error.',
    );
  }
}

/** A payload that would only die again is refused here. */
function checkPayload(task: string | undefined, payload: unknown): void {
  const contract = TASKS.find(({ name }) => name === task);
  if (contract !== undefined) parsePayload(contract, payload);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new InvalidArgumentError('The payload must be JSON.');
  }
}
