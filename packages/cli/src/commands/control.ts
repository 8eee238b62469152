import type { Control } from '@stratum/jobs';
import { Command, InvalidArgumentError } from 'commander';
import { parseDuration } from '../duration.js';
import { withClient } from '../environment.js';
import { printReplies } from './inspect.js';

interface WorkerOption {
  worker?: string;
}

export function controlCommand(): Command {
  return new Command('control')
    .description('Steer queues and workers.')
    .addCommand(
      new Command('pause')
        .description('Hand out nothing of a queue until it is resumed; restarts do not change that.')
        .argument('<queue>')
        .action((queue: string) =>
          withControl(async (control) => {
            await control.pause(queue);
            console.log(`The queue ${queue} is paused. What runs goes on.`);
          }),
        ),
    )
    .addCommand(
      new Command('resume')
        .description('Hand out the tasks of a queue again.')
        .argument('<queue>')
        .action((queue: string) =>
          withControl(async (control) => {
            await control.resume(queue);
            console.log(`The queue ${queue} goes on.`);
          }),
        ),
    )
    .addCommand(
      new Command('concurrency')
        .description('Change how many tasks a worker runs at once.')
        .argument('<count>', 'tasks at once', parseCount)
        .option('--worker <name>', 'this one; default: all')
        .action((count: number, options: WorkerOption) =>
          withControl(async (control) => {
            printReplies(await control.setConcurrency(count, options));
          }),
        ),
    )
    .addCommand(
      new Command('rate-limit')
        .description('Limit how many executions of a task start in a time, over all workers together.')
        .argument('<task>')
        .argument('<limit>', 'for example 10/s, 100/5m, or none')
        .action((task: string, text: string) =>
          withControl(async (control) => {
            await control.setRateLimit(task, parseLimit(text));
            console.log(text === 'none' ? `${task} is not limited.` : `${task} is limited to ${text}.`);
          }),
        ),
    )
    .addCommand(
      new Command('shutdown')
        .description('Let workers finish what they have, and stop.')
        .option('--worker <name>', 'this one; default: all')
        .action((options: WorkerOption) =>
          withControl(async (control) => {
            printReplies(await control.shutdown(options));
          }),
        ),
    );
}

function withControl(work: (control: Control) => Promise<void>): Promise<void> {
  return withClient(({ client }) => work(client.control));
}

function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new InvalidArgumentError('Give a whole number above 0.');
}

/** `10/s`, `100/5m`; `undefined` for `none`. */
function parseLimit(text: string): { limit: number; perMs: number } | undefined {
  if (text === 'none') return undefined;
  const [, limit, span] = /^(\d+(?:\.\d+)?)\/(\S+)$/.exec(text) ?? [];
  if (limit === undefined || span === undefined)
    throw new Error('Give a limit such as 10/s or 100/5m, or none.');
  return { limit: Number(limit), perMs: parseDuration(/^\d/.test(span) ? span : `1${span}`) };
}
