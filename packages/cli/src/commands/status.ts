import type { CircuitView, KeyWait, RateWait, SchedulersView, WorkerView } from '@stratum/jobs';
import { openMonitor } from '@stratum/jobs/monitor';
import { withBroker } from '../broker-session.js';
import { durationText } from '../duration.js';
import { findConfigFile } from '../config-file.js';
import { ago, optional, printJson, printTable, styled, wrapped } from '../output.js';
import { typed } from '../frame/invocation.js';
import { readRunFile } from '../stack/run-file.js';
import { printQueues } from './queues.js';

export async function status({ json }: { json?: boolean }): Promise<void> {
  const run = await readRunFile();
  if (run === undefined && !process.env['NATS_URL'] && findConfigFile() === undefined) {
    if (json) printJson({ running: false });
    else
      console.log(
        `No local stack runs. Start it with: ${typed('up')}; or set NATS_URL to a server that runs.`,
      );
    process.exitCode = 1;
    return;
  }
  const { queues, workers, schedulers, limits, keys, circuits } = await withBroker(async (session) => {
    const monitor = openMonitor(session);
    try {
      const [depths, known, view, waits, keyWaits, services] = await Promise.all([
        monitor.queues(),
        monitor.workers(),
        monitor.schedulers(),
        monitor.rateWaits(),
        monitor.keyWaits(),
        monitor.circuits(),
      ]);
      return {
        queues: depths,
        workers: known,
        schedulers: view,
        limits: waits,
        keys: keyLimitsOf(keyWaits),
        circuits: services.filter(({ state }) => state !== 'closed'),
      };
    } finally {
      await monitor.close();
    }
  });
  if (json) {
    printJson({
      running: run !== undefined,
      ...run,
      queues,
      workers,
      schedulers,
      rate_limits: limits.map(({ task, limit, perMs, waiting }) => ({ task, limit, per_ms: perMs, waiting })),
      key_limits: keys,
      circuits: circuits.map(({ line: _line, ...circuit }) => circuit),
    });
    return;
  }
  if (run !== undefined) {
    const { pid, ...addresses } = run;
    console.log(`Local stack: running, process ${styled('bold', String(pid))}\n`);
    const known = Object.entries(addresses).filter((entry): entry is [string, string] => entry[1] !== null);
    printTable(
      ['part', 'address'],
      known.map(([part, url]) => [part.replace('_', ' '), hidePassword(url)]),
    );
    console.log();
  }
  printQueues(queues);
  printWorkers(workers);
  printSchedulers(schedulers);
  printLimits(limits);
  printKeyLimits(keys);
  await printOpenCircuits(circuits);
}

function printWorkers(workers: readonly WorkerView[]): void {
  if (workers.length === 0) {
    console.log('\nNo workers.');
    return;
  }
  console.log();
  printTable(
    [
      'worker',
      'state',
      wrapped('queues'),
      'running',
      'slots',
      'done',
      'failed',
      optional('retried'),
      optional('memory'),
      optional('cpu'),
      optional('version'),
      'heartbeat',
    ],
    workers.map((worker) => [
      worker.name,
      worker.condition,
      worker.queues.join(', '),
      worker.running,
      worker.concurrency,
      worker.succeeded,
      worker.failed,
      worker.retried,
      worker.memory_bytes === undefined ? null : `${Math.round(worker.memory_bytes / 1_048_576)} MiB`,
      worker.cpu_percent === undefined ? null : `${worker.cpu_percent} %`,
      worker.version ?? null,
      ago(worker.at),
    ]),
  );
}

function printSchedulers({ leader, members }: SchedulersView): void {
  if (members.length === 0) {
    console.log('\nNo scheduler.');
    return;
  }
  console.log();
  printTable(
    ['scheduler', 'role', 'since'],
    members.map(({ name, started_at: startedAt }) =>
      name === leader?.name ? [name, 'leader', ago(leader.since)] : [name, 'standby', ago(startedAt)],
    ),
  );
}

function printLimits(limits: readonly RateWait[]): void {
  if (limits.length === 0) return;
  console.log();
  printTable(
    ['limited task', 'limit', 'waiting'],
    limits.map(({ task, limit, perMs, waiting }) => [task, `${limit} per ${durationText(perMs)}`, waiting]),
  );
}

interface KeyLimitWait {
  task: string;
  limit: string;
  /** Keys under which tasks run or wait. */
  keys: number;
  running: number;
  waiting: number;
}

/** Of each limit by key, over all its keys. */
function keyLimitsOf(waits: readonly KeyWait[]): KeyLimitWait[] {
  const limits = new Map<string, KeyLimitWait>();
  for (const { task, name, running, waiting } of waits) {
    const id = `${task}.${name}`;
    const limit = limits.get(id) ?? { task, limit: name, keys: 0, running: 0, waiting: 0 };
    limits.set(id, {
      ...limit,
      keys: limit.keys + 1,
      running: limit.running + running,
      waiting: limit.waiting + waiting,
    });
  }
  return [...limits.values()];
}

function printKeyLimits(limits: readonly KeyLimitWait[]): void {
  const waited = limits.filter(({ waiting }) => waiting > 0);
  if (waited.length === 0) return;
  console.log();
  printTable(
    ['limited by key', 'limit', 'keys', 'running', 'waiting'],
    waited.map(({ task, limit, keys, running, waiting }) => [task, limit, keys, running, waiting]),
  );
}

async function printOpenCircuits(circuits: readonly CircuitView[]): Promise<void> {
  if (circuits.length === 0) return;
  const { printCircuits } = await import('./circuit-table.js');
  console.log();
  printCircuits(circuits);
}

/** Others may see the screen; `--json` prints the whole address. */
export function hidePassword(url: string): string {
  return url.replace(/:[^:@/]*@/, ':…@');
}
