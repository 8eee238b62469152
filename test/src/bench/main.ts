/** `npm run bench [-- --json] [--peers]`: the framework beside the same durable work by hand and, on request, beside other job systems in the same run, and a large campaign sync. */
import { fileURLToPath } from 'node:url';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { connectToNats } from '@stratum/jobs';
import { findNatsServer, startNatsServer } from '@stratum/jobs/embedded';
import { benchAnomalies, type AnomalyFigures } from './anomalies.js';
import { benchCustomerData } from './customer-data.js';
import { benchDelays } from './delays.js';
import { benchEnqueue } from './enqueue.js';
import { benchForecast, type Accuracy, type ForecastFigures } from './forecast.js';
import { benchHistory } from './history.js';
import { benchIngest } from './ingest.js';
import { benchLatency } from './latency.js';
import { benchPeers, peerTable } from './peers/index.js';
import type { Comparison } from './measure.js';
import { benchRules } from './rules.js';
import { benchSchedule } from './schedule.js';
import { openBare, openFramework } from './subject.js';
import { benchSync } from './sync.js';
import { benchTasks } from './tasks.js';
import { benchWorkflows } from './workflows.js';
import { benchWebhooks, reportWebhooks } from './webhooks.js';

const CACHE = fileURLToPath(new URL('../../../.stratum', import.meta.url));

const { values: flags } = parseFlags({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    'skip-sync': { type: 'boolean', default: false },
    forecast: { type: 'boolean', default: false },
    anomalies: { type: 'boolean', default: false },
    cdp: { type: 'boolean', default: false },
    ingest: { type: 'boolean', default: false },
    events: { type: 'string', default: '300000' },
    rules: { type: 'boolean', default: false },
    schedule: { type: 'boolean', default: false },
    workflows: { type: 'boolean', default: false },
    members: { type: 'string', default: '10000' },
    workers: { type: 'string', default: '1' },
    webhooks: { type: 'boolean', default: false },
    peers: { type: 'boolean', default: false },
    history: { type: 'boolean', default: false },
    runs: { type: 'string', default: '10000000' },
    entries: { type: 'string', default: '100000' },
    profiles: { type: 'string', default: '1000000' },
  },
});
/** Ends the process for flags that it does not have. */
function parseFlags<Config extends ParseArgsConfig>(config: Config): ReturnType<typeof parseArgs<Config>> {
  try {
    return parseArgs(config);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(1);
  }
}

const rounds = Number(flags.rounds);

function say(message: string): void {
  if (!flags.json) console.log(message);
}

function reportForecast(figures: ForecastFigures): void {
  if (flags.json) {
    console.log(JSON.stringify(figures, undefined, 2));
    return;
  }
  say(
    `${figures.series} generated series of 120 days, and real ones of half a year each, 30 days ahead; MASE: smaller is better, 1 is the step from week to week.\n`,
  );
  const row = (name: string, each: Accuracy): void =>
    say(
      `${name.padEnd(52)} MASE ${each.mase.toFixed(3)}   seasonal naive ${each.naiveMase.toFixed(3)}   sMAPE ${each.smape.toFixed(1)} %   ` +
        `held 80 % ${percent(each.coverage80)}, 95 % ${percent(each.coverage95)}   interval score ${each.intervalScore95.toFixed(2)}`,
    );
  for (const [kind, each] of Object.entries(figures.byKind)) row(kind, each);
  row('all generated', figures);
  for (const [name, each] of Object.entries(figures.real)) row(name, each);
  say(`${Math.round(figures.campaignsPerMinute)} campaigns of three metrics a minute on one core`);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function reportAnomalies({ quietRuns, withoutConversion, oddSpend }: AnomalyFigures): void {
  for (const [course, share] of Object.entries(quietRuns))
    say(`runs of a quiet tenant of 20 campaigns with an alert, ${course}: ${percent(share)}`);
  for (const [band, share] of Object.entries(withoutConversion))
    say(`days without a conversion found, conversions a day ${band}: ${percent(share)}`);
  say(`days of twice or 40 % of the usual spend with an alert: ${percent(oddSpend)}`);
}

function line(label: string, unit: string, { ours, bare, ratio }: Comparison, digits: number): void {
  const format = (value: number): string => value.toLocaleString('en', { maximumFractionDigits: digits });
  say(
    `${label.padEnd(26)} ${format(ours).padStart(10)} ${unit.padEnd(8)} bare ${format(bare).padStart(10)}   ratio ${ratio.toFixed(2)}`,
  );
}

if (flags.forecast) {
  reportForecast(await benchForecast(CACHE, say));
  process.exit();
}
if (flags.anomalies) {
  const figures = benchAnomalies();
  if (flags.json) console.log(JSON.stringify(figures, undefined, 2));
  else reportAnomalies(figures);
  process.exit();
}
if (flags.rules) {
  const figures = await benchRules();
  if (flags.json) console.log(JSON.stringify(figures, undefined, 2));
  else
    say(
      `${figures.rules} rules × ${figures.campaigns} campaigns: ${figures.seconds.toFixed(2)} s, ${figures.matched} matches; the set that matches nothing: ${figures.idleSeconds.toFixed(2)} s`,
    );
  process.exit();
}
if (flags.cdp) {
  const figures = await benchCustomerData(Number(flags.profiles), say);
  if (flags.json) console.log(JSON.stringify(figures, undefined, 2));
  process.exit();
}

const binary = await findNatsServer({ cacheDir: CACHE, onProgress: say });
const server = await startNatsServer({ binary: binary.path });
if (flags.webhooks) {
  const figures = await benchWebhooks(server.url);
  if (flags.json) console.log(JSON.stringify(figures, undefined, 2));
  else reportWebhooks(figures, say);
  await server.stop();
  process.exit(figures.stored === figures.burst.accepted && figures.burst.failed === 0 ? 0 : 1);
}
try {
  const connection = await connectToNats({ servers: server.url, name: 'bench' });
  if (flags.schedule) {
    const figures = await benchSchedule(connection, Number(flags.entries));
    if (flags.json) console.log(JSON.stringify(figures, undefined, 2));
    else
      say(
        `${figures.entries.toLocaleString('en')} daily entries: declared in ${figures.declareSeconds.toFixed(1)} s, taken over in ${figures.takeOverSeconds.toFixed(1)} s, ` +
          `at rest ${figures.idleCpuPercent.toFixed(1)} % of a core and ${figures.memoryMiB} MiB; all due at once: enqueued in ${figures.burstSeconds.toFixed(1)} s; listed in ${figures.listSeconds.toFixed(1)} s`,
      );
    await connection.close();
    await server.stop();
    process.exit();
  }
  if (flags.ingest) {
    const figures = await benchIngest(server, connection, Number(flags.events), say);
    if (flags.json) console.log(JSON.stringify(figures, undefined, 2));
    await connection.close();
    await server.stop();
    process.exit();
  }
  if (flags.history) {
    const size = { events: Number(flags.events), runs: Number(flags.runs) };
    const figures = await benchHistory(connection, size, say);
    if (flags.json) console.log(JSON.stringify(figures, undefined, 2));
    else
      say(
        `${figures.events.toLocaleString('en')} events of ${figures.runs.toLocaleString('en')} runs became history in ${figures.seconds.toFixed(1)} s: ` +
          `${figures.eventsPerSecond.toLocaleString('en')} events/s`,
      );
    for (const { search, scope, medianMs, worstMs, found, complete } of figures.searches)
      say(
        `${(search || '(everything)').padEnd(40)} ${scope.padEnd(9)} median ${medianMs.toFixed(1).padStart(7)} ms, worst ${worstMs.toFixed(1).padStart(7)} ms, ${found} found${complete ? '' : ', to be continued'}`,
      );
    await connection.close();
    await server.stop();
    process.exit();
  }
  const framework = await openFramework(connection, 'bench');
  if (flags.workflows) {
    const figures = await benchWorkflows(connection, framework, {
      members: Number(flags.members),
      rounds,
      workers: Number(flags.workers),
    });
    if (flags.json) console.log(JSON.stringify(figures, undefined, 2));
    else
      say(
        `chord of ${figures.members.toLocaleString('en')} members: started in ${figures.chord.startSeconds.toFixed(2)} s, done in ${figures.chord.seconds.toFixed(2)} s, ` +
          `${Math.round(figures.chord.membersPerSecond).toLocaleString('en')} members/s; as many plain tasks: ${Math.round(figures.plain.tasksPerSecond).toLocaleString('en')}/s; ` +
          `ratio ${figures.ratio.toFixed(2)}; a step of a chain: ${figures.stepMilliseconds.toFixed(2)} ms`,
      );
    await framework.client.close();
    await connection.close();
    await server.stop();
    process.exit();
  }
  const bare = await openBare(connection, 'bare');
  say(
    `NATS ${binary.version}, one node, sync interval 2 min; every message acknowledged, every result stored.`,
  );
  say(
    '"Bare" is the least code that does the same durable work: a publish for each task, record, event and acknowledgement.\n',
  );
  const enqueue = await benchEnqueue(framework, bare, rounds);
  line('enqueue', 'tasks/s', enqueue, 0);
  const tasks = await benchTasks(framework, bare, rounds);
  line('no-op tasks', 'tasks/s', tasks, 0);
  const latency = await benchLatency(connection, framework, bare, rounds);
  line('enqueue → result, median', 'ms', latency, 3);
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
  if (flags.json) {
    const ratios = { enqueue: enqueue.ratio, tasks: tasks.ratio, latency: latency.ratio };
    console.log(
      JSON.stringify(
        { ratios, enqueue, tasks, latency, delays, sync: sync ?? null, ...(peers && { peers }) },
        undefined,
        2,
      ),
    );
  }
  await connection.close();
} finally {
  await server.stop();
}
