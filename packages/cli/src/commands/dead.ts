import {
  DEAD_REASONS,
  parsePayload,
  type DeadLetter,
  type DeadLetterFilter,
  type DeadReason,
} from '@stratum/jobs';
import { TASKS } from '@stratum/shared';
import { Command, Option } from 'commander';
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

export function deadCommand(): Command {
  return new Command('dead')
    .description('Look at tasks that failed for good, run them again, or throw them away.')
    .addCommand(
      withFilter(new Command('list'))
        .description('List dead letters, the oldest first.')
        .option('--limit <count>', 'at most so many', Number, 50)
        .option('--after <sequence>', 'only those behind this one: the next page', Number)
        .option('--json', 'print JSON')
        .action(list),
    )
    .addCommand(
      new Command('show')
        .description('Show a dead letter with its payload and history.')
        .argument('<id>', 'id of the task')
        .option('--json', 'print JSON')
        .action(show),
    )
    .addCommand(
      withFilter(new Command('replay'))
        .description('Run a task again with fresh retries, or all that match.')
        .argument('[id]', 'id of the task')
        .option('--payload <json>', 'with this payload instead', parseJson)
        .option('--all', 'every one that matches the filter')
        .option('--rate <per second>', 'at most so many a second', Number, 100)
        .option('--json', 'print JSON')
        .action(replay),
    )
    .addCommand(
      withFilter(new Command('discard'))
        .description('Throw a dead letter away, or all that match.')
        .argument('[id]', 'id of the task')
        .option('--all', 'every one that matches the filter')
        .option('--json', 'print JSON')
        .action(discard),
    );
}

function withFilter(command: Command): Command {
  return command
    .option('--queue <queue>')
    .option('--task <name>')
    .option('--tenant <id>')
    .addOption(new Option('--reason <reason>').choices(DEAD_REASONS))
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
      for await (const letter of client.deadLetters.replayMany(filterOf(options), {
        ratePerSecond: options.rate,
      })) {
        replayed++;
        if (process.stdout.isTTY && !options.json)
          process.stdout.write(`\r${replayed} replayed (${letter.id})\u001B[K`);
      }
      if (process.stdout.isTTY && !options.json) process.stdout.write('\r\u001B[K');
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
      for (;;) {
        const letters = await client.deadLetters.list(filterOf(options));
        if (letters.length === 0) break;
        for (const letter of letters) if (await client.deadLetters.discard(letter.id)) discarded++;
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
    throw new Error('The payload must be JSON.');
  }
}
