/** The framework beside the same durable work by hand and, on request, beside other job systems in the same run, and a large campaign sync. */
import type { Comparison } from './measure.js';
import { benchDelays } from './delays.js';
import { benchEnqueue } from './enqueue.js';
import { benchLatency } from './latency.js';
import type { Report, Setting } from './parts.js';
import { benchPeers, peerTable } from './peers/index.js';
import { openBare, openFramework } from './subject.js';
import { benchSync } from './sync.js';
import { benchTasks } from './tasks.js';

/** Tells each figure when it has it. */
export async function benchCore({ broker, flags, say }: Setting): Promise<Report> {
  const rounds = Number(flags.rounds);
  const { server, connection, version } = await broker.open();
  const framework = await openFramework(connection, 'bench');
  const bare = await openBare(connection, 'bare');
  say(`NATS ${version}, one node, sync interval 2 min; every message acknowledged, every result stored.`);
  say(
    '"Bare" is the least code that does the same durable work: a publish for each task, record, event and acknowledgement.\n',
  );
  const enqueue = await benchEnqueue(framework, bare, rounds);
  say(line('enqueue', 'tasks/s', enqueue, 0));
  const tasks = await benchTasks(framework, bare, rounds);
  say(line('no-op tasks', 'tasks/s', tasks, 0));
  const latency = await benchLatency(connection, framework, bare, rounds);
  say(line('enqueue → result, median', 'ms', latency, 3));
  say(`${''.padEnd(26)} ${latency.p99.toFixed(3).padStart(10)} ms       99th percentile`);
  const delays = await benchDelays(connection, framework);
  say(
    `delayed tasks start        ${delays.ours.median} ms late at the median, ${delays.ours.p99} ms at the 99th percentile ` +
      `(by the server's schedule alone: ${delays.bare.median} and ${delays.bare.p99} ms), ${delays.tasks.toLocaleString('en')} due in 2 s`,
  );
  await framework.client.close();
  await bare.publisher.close();
  const sync = flags['skip-sync'] ? undefined : await benchSync(connection, server.url);
  if (sync) {
    say(
      `\nsync of ${sync.campaigns.toLocaleString('en')} campaigns: ${sync.rows.toLocaleString('en')} daily rows in ${sync.seconds.toFixed(1)} s, ` +
        `${sync.rowsPerSecond.toLocaleString('en')} rows/s, peak memory of the worker ${sync.peakMemoryMiB ?? '?'} MiB`,
    );
  }
  const peers = flags.peers ? await benchPeers(rounds, (name) => say(`measuring ${name}`)) : undefined;
  if (peers !== undefined) {
    const ours = { enqueue: enqueue.ours, tasks: tasks.ours, latency: latency.ours };
    say(`\n${peerTable(ours, peers)}`);
  }
  const ratios = { enqueue: enqueue.ratio, tasks: tasks.ratio, latency: latency.ratio };
  return {
    figures: { ratios, enqueue, tasks, latency, delays, sync: sync ?? null, ...(peers && { peers }) },
  };
}

function line(label: string, unit: string, { ours, bare, ratio }: Comparison, digits: number): string {
  const format = (value: number): string => value.toLocaleString('en', { maximumFractionDigits: digits });
  return `${label.padEnd(26)} ${format(ours).padStart(10)} ${unit.padEnd(8)} bare ${format(bare).padStart(10)}   ratio ${ratio.toFixed(2)}`;
}
