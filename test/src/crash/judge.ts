/** Compares what producers were answered with what has become of each task. */
import { isDeepStrictEqual } from 'node:util';
import { isFinal, type DeadLetter, type JobsClient, type TaskRecord } from '@stratum/jobs';
import type { ScheduleSpan } from './controls.js';
import type { Effects } from './effects.js';
import type { Answers } from './journal.js';
import { ENTRIES, MAX_DELIVER, type PlannedTask } from './plan.js';
import type { ForeignMessage } from './plan-foreign.js';
import type { PlannedWorkflow } from './plan-workflows.js';

export interface Evidence {
  client: JobsClient;
  effects: Effects;
  /** Dead letters, by task id. */
  letters: ReadonlyMap<string, DeadLetter[]>;
  answers: ReadonlyMap<string, Answers>;
}

export type Report = (problem: string) => void;
const PARALLEL = 50;
const SECOND_MS = 1_000;

/** Returns the number of tasks in each state. */
export async function judgeTasks(
  plan: readonly PlannedTask[],
  evidence: Evidence,
  report: Report,
): Promise<Record<string, number>> {
  const states: Record<string, number> = {};
  const count = (state: string): void => void (states[state] = (states[state] ?? 0) + 1);
  await eachOf(plan, async (task) => {
    const record = await judgeAnswer(task.id, evidence, report);
    if (record === undefined) return count('not stored');
    count(judgeEnd(task, record, evidence, report));
    // A parent that was given up may not have come to enqueueing its child.
    if (task.payload.kind !== 'parent' || record.state !== 'SUCCESS') return;
    const child = { id: `${task.id}-child`, expected: 'SUCCESS' } as const;
    const childRecord = await evidence.client.status(child.id);
    if (childRecord === undefined) report(`${child.id} was lost`);
    else count(judgeEnd(child, childRecord, evidence, report));
  });
  for (const { key, holder, other } of evidence.effects.overlaps)
    if (!isLost(holder, evidence)) report(`${holder} and ${other} had the unique key ${key} at once`);
  return states;
}

/** What its producer was answered has to be true. Returns the record of a task that was stored. */
async function judgeAnswer(
  id: string,
  { client, answers, effects }: Evidence,
  report: Report,
): Promise<TaskRecord | undefined> {
  const { holder, refused, asked } = answers.get(id) ?? { asked: 0 };
  const record = await client.status(id);
  // One of several answers was lost, and with it what it said.
  const isAmbiguous = asked > 1;
  if (refused !== undefined) {
    if (!/^[a-z_]+$/.test(refused)) report(`${id} was answered with a foreign error: ${refused}`);
    if (record !== undefined && !isAmbiguous) report(`${id} was refused (${refused}) and exists`);
  } else if (holder === undefined) report(`${id} was never answered`);
  else if (holder === id) {
    if (record === undefined) report(`${id} was accepted and is lost`);
  } else {
    if ((await client.status(holder)) === undefined)
      report(`${id} was answered to be ${holder}, which does not exist`);
    if (record !== undefined && !isAmbiguous) report(`${id} was answered to be ${holder} and exists as well`);
  }
  if (record === undefined && effects.of(id) > 0) report(`${id} has no record and took effect`);
  return record;
}

/** Returns its state, `worker_lost` when that is why it has failed. */
function judgeEnd(
  { id, expected }: Pick<PlannedTask, 'id' | 'expected'>,
  record: TaskRecord,
  evidence: Evidence,
  report: Report,
): string {
  const { state } = record;
  const letters = evidence.letters.get(id) ?? [];
  const effects = evidence.effects.of(id);
  const wasLost = isLost(id, evidence);
  if (!isFinal(state)) report(`${id} ended in no final state: ${state}`);
  else if (state !== expected && !wasLost) report(`${id} is ${state}, not ${expected}`);
  if (letters.length !== (state === 'FAILURE' ? 1 : 0))
    report(`${id} is ${state} and has ${letters.length} dead letters`);
  if (effects > 1) report(`${id} took effect ${effects} times`);
  if (state === 'SUCCESS' && effects !== 1) report(`${id} succeeded and took effect ${effects} times`);
  if (expected === 'FAILURE' && effects > 0) report(`${id} was meant to fail and took effect`);
  const losses = (record.deliveries ?? 1) - (record.hand_backs ?? 0);
  if (wasLost && losses < MAX_DELIVER) report(`${id} was given up after ${losses} losses`);
  return wasLost ? 'worker_lost' : state;
}

function isLost(id: string, { letters }: Evidence): boolean {
  return letters.get(id)?.some(({ reason }) => reason === 'worker_lost') === true;
}

export async function judgeForeign(
  plan: readonly ForeignMessage[],
  evidence: Evidence,
  report: Report,
): Promise<void> {
  const texts = [...evidence.letters.values()].flat().map((letter) => JSON.stringify(letter.payload));
  await eachOf(plan, async ({ id, subject, isTask }) => {
    if (isTask) {
      const record = await judgeAnswer(id, evidence, report);
      if (record !== undefined) judgeEnd({ id, expected: 'SUCCESS' }, record, evidence, report);
      return;
    }
    const count = texts.filter((text) => text.includes(id)).length;
    if (count !== 1) report(`${id}, published to ${subject.slice(0, 100)}, has ${count} dead letters`);
  });
}

export async function judgeWorkflows(
  plan: readonly PlannedWorkflow[],
  evidence: Evidence,
  report: Report,
): Promise<void> {
  await eachOf(plan, async ({ id, expected }) => {
    const { holder, refused, asked } = evidence.answers.get(id) ?? { asked: 0 };
    const exists = await evidence.client.workflows.get(id);
    if (refused !== undefined) {
      if (exists !== undefined && asked === 1) report(`workflow ${id} was refused (${refused}) and exists`);
      return;
    }
    if (holder === undefined || exists === undefined) return report(`workflow ${id} is lost`);
    const outcome = await evidence.client.workflows.result(id, { timeoutMs: 1_000 }).catch(() => undefined);
    if (outcome === undefined) return report(`workflow ${id} does not end`);
    if (outcome.state === 'SUCCESS') {
      if (!isDeepStrictEqual(outcome.result, expected))
        report(`workflow ${id} has the result ${JSON.stringify(outcome.result)}`);
    } else if (outcome.failed === null || !isLost(outcome.failed.task_id, evidence))
      report(`workflow ${id} is ${outcome.state}: ${JSON.stringify(outcome.error)}`);
  });
}

/** Each second of the schedule has run once, and what an operator changed has held. */
export function judgeSchedule(
  spans: readonly ScheduleSpan[],
  { effects, letters }: Evidence,
  report: Report,
): number {
  const known = new Set(effects.ticks.map(({ entry, tick }) => `${entry} ${tick}`));
  if (known.size !== effects.ticks.length) report('a tick ran more than once');
  for (const { name } of ENTRIES) {
    if (name === 'pausable') continue;
    const ticks = effects.ticks.filter(({ entry }) => entry === name).map(({ tick }) => tick);
    const [first, last] = [Math.min(...ticks), Math.max(...ticks)];
    if (ticks.length === 0) report(`the entry ${name} never ran`);
    for (let tick = first; tick < last; tick += SECOND_MS) {
      if (known.has(`${name} ${tick}`) || letters.has(`beat-${name}-${compact(tick)}`)) continue;
      report(`the tick of ${name} at ${new Date(tick).toISOString()} is missing`);
    }
  }
  for (const { entry, from, until, version } of spans)
    for (const tick of effects.ticks) {
      if (tick.entry !== entry || tick.tick <= from || tick.tick >= until || tick.version === version)
        continue;
      report(
        version === undefined
          ? `${tick.id} ran while ${entry} was paused`
          : `${tick.id} ran as version ${tick.version}, not ${version}`,
      );
    }
  return effects.ticks.length;
}

/** As in the id of a tick's task. */
function compact(tick: number): string {
  return new Date(tick).toISOString().replace('.000Z', 'Z').replaceAll(/[-:]/g, '');
}

async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const left = [...items].values();
  const one = async (): Promise<void> => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: PARALLEL }, one));
}
