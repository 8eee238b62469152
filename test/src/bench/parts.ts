/** The benchmarks that run on request, each with a flag of its own. */
import { benchAnomalies } from './anomalies.js';
import { benchBacklog } from './backlog.js';
import type { BrokerOnDemand } from './broker.js';
import { benchCapacity } from './capacity/index.js';
import { benchCustomerData } from './customer-data.js';
import { benchDeadLetters } from './dead-letters.js';
import type { Flags } from './flags.js';
import { benchFlow, type FlowFigures } from './flow.js';
import { benchForecast, type Accuracy } from './forecast.js';
import { benchHistory } from './history.js';
import { benchIngest } from './ingest.js';
import { benchKeyLimits } from './key-limits.js';
import { benchLettersOfOthers, linesOf } from './letters-of-others.js';
import { benchOutbox } from './outbox.js';
import { benchRules } from './rules.js';
import { benchSchedule } from './schedule.js';
import { benchShards } from './shards.js';
import { openFramework } from './subject.js';
import { benchWebhooks, reportWebhooks } from './webhooks.js';
import { benchWorkflows } from './workflows.js';

export interface Setting {
  flags: Flags;
  broker: BrokerOnDemand;
  cacheDir: string;
  /** Progress, for people alone. */
  say: (message: string) => void;
}

export interface Report {
  /** Printed with `--json`. */
  figures: object;
  /** Printed without it. */
  lines?: readonly string[];
  /** Ends the process with 1. */
  failed?: boolean;
}

type Part = (setting: Setting) => Promise<Report>;

export const PARTS: readonly { flag: keyof Flags; run: Part }[] = [
  { flag: 'forecast', run: forecast },
  { flag: 'anomalies', run: anomalies },
  { flag: 'rules', run: rules },
  { flag: 'cdp', run: cdp },
  { flag: 'webhooks', run: webhooks },
  { flag: 'schedule', run: schedule },
  { flag: 'ingest', run: ingest },
  { flag: 'history', run: history },
  { flag: 'workflows', run: workflows },
  { flag: 'backlog', run: backlog },
  { flag: 'dead-letters', run: deadLetters },
  { flag: 'letters-of-others', run: lettersOfOthers },
  { flag: 'outbox', run: outbox },
  { flag: 'key-limits', run: keyLimits },
  { flag: 'flow', run: flow },
  { flag: 'capacity', run: capacity },
  { flag: 'shards', run: shards },
];

async function forecast({ cacheDir, say }: Setting): Promise<Report> {
  const figures = await benchForecast(cacheDir, say);
  const row = (name: string, each: Accuracy): string =>
    `${name.padEnd(52)} MASE ${each.mase.toFixed(3)}   seasonal naive ${each.naiveMase.toFixed(3)}   sMAPE ${each.smape.toFixed(1)} %   ` +
    `held 80 % ${percent(each.coverage80)}, 95 % ${percent(each.coverage95)}   interval score ${each.intervalScore95.toFixed(2)}`;
  const rows = (each: Record<string, Accuracy>): string[] =>
    Object.entries(each).map(([name, accuracy]) => row(name, accuracy));
  return {
    figures,
    lines: [
      `${figures.series} generated series of 120 days, and real ones of half a year each, 30 days ahead; MASE: smaller is better, 1 is the step from week to week.\n`,
      ...rows(figures.byKind),
      row('all generated', figures),
      ...rows(figures.real),
      `${Math.round(figures.campaignsPerMinute)} campaigns of three metrics a minute on one core`,
    ],
  };
}

async function anomalies(): Promise<Report> {
  const figures = benchAnomalies();
  const each = (shares: Record<string, number>, text: string): string[] =>
    Object.entries(shares).map(([kind, share]) => `${text} ${kind}: ${percent(share)}`);
  return {
    figures,
    lines: [
      ...each(figures.quietRuns, 'runs of a quiet tenant of 20 campaigns with an alert,'),
      ...each(figures.withoutConversion, 'days without a conversion found, conversions a day'),
      `days of twice or 40 % of the usual spend with an alert: ${percent(figures.oddSpend)}`,
    ],
  };
}

async function rules(): Promise<Report> {
  const figures = await benchRules();
  const { seconds, idleSeconds, matched } = figures;
  return {
    figures,
    lines: [
      `${figures.rules} rules × ${figures.campaigns} campaigns: ${seconds.toFixed(2)} s, ${matched} matches; the set that matches nothing: ${idleSeconds.toFixed(2)} s`,
    ],
  };
}

async function cdp({ flags, say }: Setting): Promise<Report> {
  return { figures: await benchCustomerData(Number(flags.profiles), say) };
}

async function webhooks({ broker, say }: Setting): Promise<Report> {
  const { server } = await broker.open();
  const figures = await benchWebhooks(server.url);
  reportWebhooks(figures, say);
  const { stored, burst } = figures;
  return { figures, failed: stored !== burst.accepted || burst.failed > 0 };
}

async function schedule({ broker, flags }: Setting): Promise<Report> {
  const { connection } = await broker.open();
  const figures = await benchSchedule(connection, Number(flags.entries));
  return {
    figures,
    lines: [
      `${figures.entries.toLocaleString('en')} daily entries: declared in ${figures.declareSeconds.toFixed(1)} s, taken over in ${figures.takeOverSeconds.toFixed(1)} s, ` +
        `at rest ${figures.idleCpuPercent.toFixed(1)} % of a core and ${figures.memoryMiB} MiB; all due at once: enqueued in ${figures.burstSeconds.toFixed(1)} s; listed in ${figures.listSeconds.toFixed(1)} s`,
    ],
  };
}

async function ingest({ broker, flags, say }: Setting): Promise<Report> {
  const { server, connection } = await broker.open();
  return { figures: await benchIngest(server, connection, Number(flags.events), say) };
}

async function history({ broker, flags, say }: Setting): Promise<Report> {
  const { connection } = await broker.open();
  const size = { events: Number(flags.events), runs: Number(flags.runs) };
  const figures = await benchHistory(connection, size, say);
  const searches = figures.searches.map(
    ({ search, scope, medianMs, worstMs, found, complete }) =>
      `${(search || '(everything)').padEnd(40)} ${scope.padEnd(9)} median ${medianMs.toFixed(1).padStart(7)} ms, worst ${worstMs.toFixed(1).padStart(7)} ms, ${found} found${complete ? '' : ', to be continued'}`,
  );
  return {
    figures,
    lines: [
      `${figures.events.toLocaleString('en')} events of ${figures.runs.toLocaleString('en')} runs became history in ${figures.seconds.toFixed(1)} s: ` +
        `${figures.eventsPerSecond.toLocaleString('en')} events/s`,
      ...searches,
    ],
  };
}

async function workflows({ broker, flags }: Setting): Promise<Report> {
  const { connection } = await broker.open();
  const framework = await openFramework(connection, 'bench');
  const figures = await benchWorkflows(connection, framework, {
    members: Number(flags.members),
    rounds: Number(flags.rounds),
    workers: Number(flags.workers),
  });
  await framework.client.close();
  const { members, chord, plain, ratio, stepMilliseconds } = figures;
  return {
    figures,
    lines: [
      `chord of ${members.toLocaleString('en')} members: started in ${chord.startSeconds.toFixed(2)} s, done in ${chord.seconds.toFixed(2)} s, ` +
        `${whole(chord.membersPerSecond)} members/s; as many plain tasks: ${whole(plain.tasksPerSecond)}/s; ` +
        `ratio ${ratio.toFixed(2)}; a step of a chain: ${stepMilliseconds.toFixed(2)} ms`,
    ],
  };
}

async function backlog({ broker, flags, say }: Setting): Promise<Report> {
  const { connection } = await broker.open();
  const sizes = { waiting: Number(flags.waiting), delayed: Number(flags.delayed) };
  const figures = await benchBacklog(connection, sizes, say);
  const { waiting, delayed } = figures;
  const drained = waiting.drained.map(
    ({ from, tasksPerSecond, bareTasksPerSecond, heapMiB, rssMiB }) =>
      `  with ${from.toLocaleString('en').padStart(9)} waiting: ${whole(tasksPerSecond)} tasks/s, bare ${whole(bareTasksPerSecond)}, heap ${heapMiB} MiB, process ${rssMiB} MiB`,
  );
  return {
    figures,
    lines: [
      `${waiting.tasks.toLocaleString('en')} tasks enqueued at ${whole(waiting.enqueuedPerSecond)}/s`,
      ...drained,
      `${delayed.tasks.toLocaleString('en')} delayed tasks due in one second: ${delayed.started.toLocaleString('en')} started, the last ${delayed.lastStartMs} ms after that second; ` +
        `the broker alone put the last into the queue ${delayed.bareLastMs} ms after it`,
    ],
    failed: delayed.started !== delayed.tasks,
  };
}

async function deadLetters({ broker, flags }: Setting): Promise<Report> {
  const { connection } = await broker.open();
  const figures = await benchDeadLetters(connection, Number(flags.letters));
  const { letters, replayed, discarded } = figures;
  const figure = ({ perSecond, processMicroseconds }: typeof replayed): string =>
    `${whole(perSecond)}/s (${whole(processMicroseconds)} µs of the process each)`;
  return {
    figures,
    lines: [
      `${letters.toLocaleString('en')} dead letters: replayed at ${figure(replayed)}, discarded at ${figure(discarded)}`,
    ],
  };
}

async function lettersOfOthers({ broker }: Setting): Promise<Report> {
  const { connection, server } = await broker.open();
  const figures = await benchLettersOfOthers(server.url, connection);
  return { figures, lines: linesOf(figures) };
}

async function outbox({ broker, flags }: Setting): Promise<Report> {
  const { connection } = await broker.open();
  const framework = await openFramework(connection, 'bench');
  const figures = await benchOutbox(connection, framework, Number(flags.rounds));
  await framework.client.close();
  const { enqueue, relay } = figures;
  return {
    figures,
    lines: [
      `transactions with a task: ${whole(enqueue.ours)}/s, without: ${whole(enqueue.bare)}/s, ratio ${enqueue.ratio.toFixed(2)}`,
      `tasks relayed: ${whole(relay.ours)}/s, enqueued without a table: ${whole(relay.bare)}/s, ratio ${relay.ratio.toFixed(2)}`,
    ],
  };
}

async function keyLimits({ broker, flags }: Setting): Promise<Report> {
  const { connection } = await broker.open();
  const framework = await openFramework(connection, 'bench');
  const figures = await benchKeyLimits(connection, framework, Number(flags.rounds));
  await framework.client.close();
  const line = ({ ours, bare, ratio }: typeof figures.roomy): string =>
    `${whole(ours)} tasks/s, without a limit ${whole(bare)}, ratio ${ratio.toFixed(2)}`;
  return {
    figures,
    lines: [
      `${whole(figures.tasks)} tasks of ${figures.keys} keys; a place is always free: ${line(figures.roomy)}`,
      `one of each key at a time: ${line(figures.tight)}`,
    ],
  };
}

async function flow({ broker, flags, say }: Setting): Promise<Report> {
  const { connection } = await broker.open();
  const framework = await openFramework(connection, 'bench');
  const figures = await benchFlow(connection, framework, Number(flags.rounds), say);
  await framework.client.close();
  const lines = Object.entries(figures).map(
    ([name, { ours, bare, ratio }]: [string, FlowFigures[keyof FlowFigures]]) =>
      `${name.padEnd(12)} ${whole(ours).padStart(8)}/s, beside it ${whole(bare).padStart(8)}/s, ratio ${ratio.toFixed(2)}`,
  );
  return { figures, lines };
}

async function capacity({ broker, say }: Setting): Promise<Report> {
  return { figures: await benchCapacity(await broker.open(), say) };
}

async function shards({ broker, flags }: Setting): Promise<Report> {
  const { connection } = await broker.open();
  const figures = await benchShards(connection, Number(flags.rounds));
  const lines = figures.map(
    (each) =>
      `${each.shards} stream(s) for the queue: enqueued ${whole(each.enqueuedPerSecond)}/s (${each.enqueueRatio.toFixed(2)} of one), ` +
      `tasks ${whole(each.tasksPerSecond)}/s (${each.taskRatio.toFixed(2)} of one)`,
  );
  return { figures, lines };
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
