/**
 * Kills, freezes and restarts processes at random, sets their clocks, and changes settings while the broker is away, with thousands of tasks
 * of every kind under way; then looks whether every task has come to exactly one end, and every effect happened exactly once.
 */
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  createClient,
  openSchedules,
  reconcileTopology,
  type DeadLetter,
  type JobsClient,
  type QueueDepth,
} from '@stratum/jobs';
import { dataFolder } from '../harness/data-folder.js';
import { startBroker } from './broker.js';
import { findShifter } from './clock.js';
import { Controls, CONTROLS } from './controls.js';
import { prepareDatabase, readEffects } from './effects.js';
import { connectPatiently, crashTopology, PREFIX } from './environment.js';
import { faultsAtRandom, handOver } from './fault-loop.js';
import { readJournal } from './journal.js';
import { judgeForeign, judgeSchedule, judgeTasks, judgeWorkflows, type Evidence } from './judge.js';
import { keepEvidence } from './kept-evidence.js';
import type { Changes, CrashOptions, CrashReport } from './options.js';
import { planTasks, tickTask } from './plan.js';
import { planForeign } from './plan-foreign.js';
import { prepareAccess } from './platform/access.js';
import { judgeVisits } from './platform/judge.js';
import { startServices } from './platform/services.js';
import { planVisits } from './platform/visits.js';
import { planWorkflows } from './plan-workflows.js';
import { startLinks } from './links.js';
import { startProcesses } from './cast.js';
import { isUsedUp } from './progress.js';
import { randomFrom } from './random.js';
import { rollForthAndBack } from './roll.js';

const TASKS_PER_WORKFLOW = 50;
const TASKS_PER_FOREIGN_MESSAGE = 20;
const TASKS_PER_VISIT = 4;
const QUIET_MS = 100;
const QUIET_LOOKS = 5;
/** Of the broker: what the services reserve and a run needs, and room that a neighbour fills quickly. */
const STORE_BYTES = 512 * 1024 ** 2;
const STORE_BYTES_PER_TASK = 20_000;
const MAX_LETTERS = 100_000;

export async function runCrashes(options: CrashOptions): Promise<CrashReport> {
  const { seed, log, replicas = 1 } = options;
  const startedAt = performance.now();
  const folder = await dataFolder('stratum-crash-');
  const journals = join(folder, 'journals');
  await mkdir(journals);
  const broker = await startBroker({
    binary: options.natsBinary,
    folder,
    replicas,
    maxStoreBytes: STORE_BYTES + options.tasks * STORE_BYTES_PER_TASK,
  });
  const database = await prepareDatabase(options.databaseUrl);
  const connection = await connectPatiently(broker.url, 'crash-judge');
  const topology = crashTopology(replicas);
  await reconcileTopology(connection, topology);
  const client = createClient({ connection, topology });
  const schedules = openSchedules({ connection, topology, contracts: [tickTask] });
  const counts = {
    tasks: options.tasks,
    workflows: Math.ceil(options.tasks / TASKS_PER_WORKFLOW),
    foreign: Math.ceil(options.tasks / TASKS_PER_FOREIGN_MESSAGE),
    visits: options.platform === true ? Math.ceil(options.tasks / TASKS_PER_VISIT) : 0,
  };
  const links = options.chaos ? await startLinks(broker.url, options.databaseUrl) : undefined;
  const { name: clock, shifter } = findShifter();
  const environment = {
    NATS_URL: links?.natsUrl ?? broker.url,
    DATABASE_URL: links?.databaseUrl ?? options.databaseUrl,
    CRASH_REPLICAS: String(replicas),
    CRASH_SEED: String(seed),
    CRASH_TASKS: String(counts.tasks),
    CRASH_WORKFLOWS: String(counts.workflows),
    CRASH_FOREIGN: String(counts.foreign),
    CRASH_JOURNALS: journals,
    // So that there is a producer to kill for most of the time.
    CRASH_SECONDS: String((options.killForMs / 1_000) * 0.8),
  };
  const services =
    counts.visits === 0
      ? undefined
      : await startServices({
          folder,
          shifter,
          environment,
          access: await prepareAccess(database),
          replicas,
          visits: counts.visits,
        });
  const processes = startProcesses({
    folder,
    shifter,
    older: options.older,
    rolling: options.rolling === true,
    environment,
    services,
  });
  let isKept = false;
  const runAndJudge = async (): Promise<CrashReport> => {
    const controls = new Controls({
      client,
      schedules,
      database,
      seed,
      duringRestart: async (work) => {
        const [answer] = await Promise.all([work(), broker.crash(Math.random)]);
        return answer;
      },
    });
    const during = changeAll(controls, options);
    const stepDown = (random: () => number): Promise<void> => handOver(connection, topology, random);
    const { databaseServers } = options;
    const targets = { ...processes, broker, database, databaseServers, links, stepDown };
    const rolling = rollForthAndBack(processes.rolled, options.killForMs);
    // It is awaited when the faults are over.
    rolling.catch(() => undefined);
    const faults = await faultsAtRandom(options, targets, during);
    const changes = await during.done;
    const rolled = await rolling;
    log(
      `${JSON.stringify(faults)}; ${changes} control changes, ${rolled} changes of version; waiting for the end`,
    );
    const violations = [...controls.violations, ...processes.hung().map((name) => `${name} did not stop`)];
    const report = (problem: string): void => void violations.push(problem);
    // Otherwise there would be a next tick for ever.
    for (const { name } of await schedules.list()) await schedules.pause(name);
    await untilQuiet(client, report);
    const evidence = await gather(client, await readEffects(database), journals);
    const plan = planTasks({ seed, count: counts.tasks, hasOlder: options.older !== undefined });
    const states = await judgeTasks(plan, evidence, report);
    await judgeForeign(planForeign(seed, counts.foreign, PREFIX), evidence, report);
    await judgeWorkflows(planWorkflows(seed, counts.workflows), evidence, report);
    if (services !== undefined) {
      const answers = await readJournal(join(journals, 'visitor'));
      await judgeVisits(
        planVisits(seed, counts.visits),
        { connection, pool: database, replicas, answers },
        report,
      );
    }
    const ticks = judgeSchedule(controls.spans, evidence, report);
    isKept = violations.length > 0;
    if (isKept) await keepEvidence(folder, violations, evidence);
    const seconds = Math.round((performance.now() - startedAt) / 1_000);
    const figures = {
      ...counts,
      ticks,
      controls: changes,
      faults,
      rolled,
      clock,
      seconds,
      states,
      violations,
    };
    return isKept ? { ...figures, kept: folder } : figures;
  };
  try {
    return await unlessAborted(options.signal, runAndJudge());
  } finally {
    await processes.stop();
    links?.close();
    await schedules.close();
    await client.close();
    await connection.close();
    await database.end();
    await broker.stop();
    if (!isKept) await rm(folder, { recursive: true, force: true });
  }
}

/** What still runs when the signal aborts is left behind, and nobody hears of its end. */
async function unlessAborted<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (signal === undefined) return work;
  work.catch(() => undefined);
  const aborted = once(signal, 'abort');
  const first = await Promise.race([work.then((result) => ({ result })), aborted.then(() => undefined)]);
  if (first !== undefined) return first.result;
  signal.throwIfAborted();
  return work;
}

/** Each control at least once, and again until the time is over. */
function changeAll(controls: Controls, { seed, killForMs }: CrashOptions): Changes {
  const random = randomFrom(seed ^ 0xc0);
  const endAt = performance.now() + killForMs;
  const changes = { isDone: false };
  const all = async (): Promise<number> => {
    try {
      await controls.begin();
      let count = 0;
      for (; count < CONTROLS.length || performance.now() < endAt; count++) {
        const control = CONTROLS[count] ?? CONTROLS[Math.floor(random() * CONTROLS.length)];
        if (control !== undefined) await controls.change(control);
      }
      return count;
    } finally {
      changes.isDone = true;
    }
  };
  const done = all();
  // It is awaited when the faults are over.
  done.catch(() => undefined);
  return Object.assign(changes, { done });
}

async function gather(client: JobsClient, effects: Evidence['effects'], journals: string): Promise<Evidence> {
  const letters = new Map<string, DeadLetter[]>();
  for (const letter of await client.deadLetters.list({ limit: MAX_LETTERS }))
    letters.set(letter.id, [...(letters.get(letter.id) ?? []), letter]);
  const files = ['today', 'older', 'foreign'].map((name) => readJournal(join(journals, name)));
  const answers = new Map((await Promise.all(files)).flatMap((journal) => [...journal]));
  return { client, effects, letters, answers };
}

/** Waits for as long as tasks end. */
async function untilQuiet(client: JobsClient, report: (problem: string) => void): Promise<void> {
  let queues: QueueDepth[] = [];
  const left = async (): Promise<number | undefined> => {
    // What was asked while the broker came back is answered by nobody.
    queues = (await client.queues().catch(() => undefined)) ?? [];
    return queues.length === 0 ? undefined : queues.reduce((sum, each) => sum + leftIn(each), 0);
  };
  if (!(await isUsedUp(left, { looks: QUIET_LOOKS, everyMs: QUIET_MS })))
    report(`the queues do not become empty: ${JSON.stringify(queues)}`);
}

function leftIn({ high, normal, low, delayed, running }: QueueDepth): number {
  return high + normal + low + delayed + running;
}
