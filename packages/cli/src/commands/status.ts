import { openSchedules, type SchedulersView, type WorkerView } from '@stratum/jobs';
import { TASKS } from '@stratum/shared';
import { Command } from 'commander';
import { withClient } from '../environment.js';
import { printJson, printTable, styled } from '../output.js';
import { readRunFile } from '../stack/run-file.js';
import { printQueues } from './queues.js';

export function statusCommand(): Command {
  return new Command('status')
    .description('Show what runs, where it listens, and what the queues hold.')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  stratum status --json')
    .action(async ({ json }: { json?: boolean }) => {
      const run = await readRunFile();
      if (run === undefined && !process.env['NATS_URL']) {
        if (json) printJson({ running: false });
        else
          console.log(
            'Nothing runs here. Start everything with `npm start`, or name a NATS server in NATS_URL.',
          );
        process.exitCode = 1;
        return;
      }
      const { queues, workers, schedulers } = await withClient(async ({ client, connection, topology }) => {
        const schedules = openSchedules({ connection, topology, contracts: TASKS });
        try {
          return {
            queues: await client.queues(),
            workers: await client.control.workers(),
            schedulers: await schedules.schedulers(),
          };
        } finally {
          await schedules.close();
        }
      });
      if (json) {
        printJson({ running: run !== undefined, ...run, queues, workers, schedulers });
        return;
      }
      if (run !== undefined) {
        const { pid, ...addresses } = run;
        console.log(`The local stack runs (${styled('bold', `process ${pid}`)}).\n`);
        const known = Object.entries(addresses).filter(
          (entry): entry is [string, string] => entry[1] !== null,
        );
        printTable(
          ['part', 'address'],
          known.map(([part, url]) => [part.replace('_', ' '), hidePassword(url)]),
        );
        console.log();
      }
      printQueues(queues);
      printWorkers(workers);
      printSchedulers(schedulers);
    });
}

function printWorkers(workers: readonly WorkerView[]): void {
  if (workers.length === 0) {
    console.log('\nNo worker runs.');
    return;
  }
  console.log();
  printTable(
    ['worker', 'condition', 'queues', 'running', 'of', 'done', 'failed', 'retried', 'last heard of'],
    workers.map((worker) => [
      worker.name,
      worker.condition,
      worker.queues.join(', '),
      worker.running,
      worker.concurrency,
      worker.succeeded,
      worker.failed,
      worker.retried,
      worker.at,
    ]),
  );
}

function printSchedulers({ leader, members }: SchedulersView): void {
  if (members.length === 0) {
    console.log('\nNo scheduler runs.');
    return;
  }
  console.log();
  printTable(
    ['scheduler', 'role', 'since'],
    members.map(({ name, started_at: startedAt }) =>
      name === leader?.name ? [name, 'leads', leader.since] : [name, 'stands by', startedAt],
    ),
  );
}

/** On a screen others may look at; `--json` has the whole address. */
export function hidePassword(url: string): string {
  return url.replace(/:[^:@/]*@/, ':…@');
}
