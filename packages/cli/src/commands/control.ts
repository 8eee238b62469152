import type { Control, WorkerReply } from '@stratum/jobs';
import { Command, InvalidArgumentError } from 'commander';
import { parseCount } from '../arguments.js';
import { parseDuration } from '../duration.js';
import { withClient } from '../environment.js';
import { printJson } from '../output.js';
import { findTask } from '../task-contracts.js';
import { tellReplies } from './inspect.js';

interface JsonOption {
  json?: boolean;
}

interface WorkerOption extends JsonOption {
  worker?: string;
}

type Limit = { limit: number; perMs: number } | 'none';

export function controlCommand(): Command {
  return new Command('control')
    .description('Steer queues and workers.')
    .addCommand(
      step('pause', 'Hand out nothing of a queue until it is resumed; restarts do not change that.', 'sync')
        .argument('<queue>', 'name of the queue')
        .action(async (queue: string, { json }: JsonOption) => {
          await withControl((control) => control.pause(queue));
          if (json) printJson({ queue, paused: true });
          else console.log(`The queue ${queue} is paused. What runs goes on.`);
        }),
    )
    .addCommand(
      step('resume', 'Hand out the tasks of a queue again.', 'sync')
        .argument('<queue>', 'name of the queue')
        .action(async (queue: string, { json }: JsonOption) => {
          await withControl((control) => control.resume(queue));
          if (json) printJson({ queue, paused: false });
          else console.log(`The queue ${queue} goes on.`);
        }),
    )
    .addCommand(
      step('concurrency', 'Change how many tasks a worker runs at once, until it restarts.', '8')
        .argument('<count>', 'tasks at once', parseCount)
        .option('--worker <worker>', 'this one; default: all')
        .action((count: number, options: WorkerOption) =>
          askWorkers(options, (control, worker) => control.setConcurrency(count, worker)),
        ),
    )
    .addCommand(
      step(
        'rate-limit',
        'Limit how many executions of a task start in a time, over all workers together.',
        'sync_campaign_data 100/m',
      )
        .argument('<task>', 'name of the task')
        .argument('<limit>', 'for example 10/s, 100/5m, or none', parseLimit)
        .action(async (task: string, limit: Limit, { json }: JsonOption) => {
          findTask(task);
          await withControl((control) => control.setRateLimit(task, limit === 'none' ? undefined : limit));
          if (json)
            printJson({
              task,
              limit: limit === 'none' ? null : limit.limit,
              per_ms: limit === 'none' ? null : limit.perMs,
            });
          else
            console.log(
              limit === 'none'
                ? `${task} is not limited.`
                : `${task} is limited to ${limit.limit} in ${limit.perMs / 1000} s.`,
            );
        }),
    )
    .addCommand(
      step('shutdown', 'Let workers finish what they have, and stop.', '--worker host-4711-a1b2c3')
        .option('--worker <worker>', 'this one; default: all')
        .action((options: WorkerOption) =>
          askWorkers(options, (control, worker) => control.shutdown(worker)),
        ),
    );
}

function step(name: string, description: string, example: string): Command {
  return new Command(name)
    .description(description)
    .option('--json', 'print JSON')
    .addHelpText('after', `\nExample:\n  stratum control ${name} ${example}`);
}

async function askWorkers(
  { worker, json }: WorkerOption,
  question: (control: Control, worker: { worker?: string }) => Promise<WorkerReply[]>,
): Promise<void> {
  tellReplies(
    await withControl((control) => question(control, worker === undefined ? {} : { worker })),
    json,
  );
}

function withControl<T>(work: (control: Control) => Promise<T>): Promise<T> {
  return withClient(({ client }) => work(client.control));
}

/** `10/s`, `100/5m`, `none`. */
function parseLimit(text: string): Limit {
  if (text === 'none') return text;
  const [, limit, span] = /^(\d+(?:\.\d+)?)\/(\S+)$/.exec(text) ?? [];
  if (limit === undefined || span === undefined || Number(limit) === 0)
    throw new InvalidArgumentError('Give a limit such as 10/s or 100/5m, or none.');
  return { limit: Number(limit), perMs: parseDuration(/^\d/.test(span) ? span : `1${span}`) };
}
