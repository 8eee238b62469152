/** Why a task is not running, by the facts of one moment: what blocks it first, then what else stands in its way. */
import type { TaskRecord } from '@stratum/jobs';
import { count, duration } from '../overview/words.js';
import type { Finding, WhyCode } from './finding.js';

export interface WhyWorker {
  name: string;
  condition: string;
  queues: readonly string[];
  contracts?: readonly string[] | undefined;
  concurrency: number;
  running: number;
}

export interface WhyFacts {
  now: Date;
  task: string;
  queue: string;
  state: string;
  worker: string | null;
  startedAt: string | null;
  finishedAt: string | null;
  lastError: string | null;
  /** When a delayed task is due. */
  dueAt: string | null;
  /** Its place in the stream of the queue, while it is stored there. */
  sequence: number | null;
  /** Of the task's own lane; `null`: the broker did not say. */
  lane: { paused: boolean; delivered: number; waiting: number } | null;
  /** Tasks that wait in lanes which are taken first. */
  waitingBefore: number;
  /** Of the whole platform. */
  workers: readonly WhyWorker[];
  rate: { limit: number; perMs: number; waiting: number } | null;
  /** The limit by key that it waits at; `null`: at none. */
  keyWait: { name: string; key: string; concurrency: number; running: number; waiting: number } | null;
  /** What it waits for in a durable step; `null`: nothing. */
  waitsFor: TaskRecord['waits_for'] | null;
  /** The circuit of the service that it waits for; `null`: it waits for none. */
  circuit: { service: string; key: string; state: string; retryAt: string | null; error: string } | null;
  /** Tasks of the queue that end in a second; `null`: not known. */
  outPerS: number | null;
}

const ENDS = new Set(['SUCCESS', 'FAILURE', 'REVOKED', 'EXPIRED']);
const SECOND_MS = 1_000;

export function findReasons(facts: WhyFacts): Finding[] {
  if (ENDS.has(facts.state))
    return [
      finding(
        'ended',
        `It has ended: ${facts.state.toLowerCase()}${facts.finishedAt === null ? '' : ` at ${facts.finishedAt}`}.`,
      ),
    ];
  if (facts.state === 'STARTED') return [runningFinding(facts)];
  const obstacles = obstaclesOf(facts);
  if (facts.state === 'SCHEDULED' && facts.circuit !== null)
    return [circuitFinding(facts.circuit), ...obstacles];
  if (facts.state === 'SCHEDULED' && facts.keyWait !== null)
    return [keyFinding(facts.task, facts.keyWait), ...obstacles];
  if (facts.state === 'SCHEDULED' && facts.waitsFor) return [waitFinding(facts.waitsFor), ...obstacles];
  if (facts.state === 'SCHEDULED') return [delayedFinding(facts), ...obstacles];
  if (facts.state === 'RETRY') return [backOffFinding(facts), ...obstacles];
  if (facts.lane !== null && facts.sequence !== null && facts.sequence <= facts.lane.delivered)
    return [
      finding('held_by_worker', 'A worker has it and starts it as soon as it has a free slot.', null),
      ...obstacles.filter(({ code }) => code === 'rate_limited' || code === 'all_slots_busy'),
    ];
  if (obstacles.length > 0) return obstacles;
  return [
    finding(
      'undetermined',
      'Nothing is in its way as far as the broker and the workers say.',
      'Look again in a few seconds.',
    ),
  ];
}

function finding(
  code: WhyCode,
  text: string,
  remedy: string | null = null,
  eta: string | null = null,
): Finding {
  return { code, text, remedy, eta };
}

function runningFinding({ worker, startedAt, now, workers }: WhyFacts): Finding {
  const name = worker ?? 'a worker';
  const since = startedAt === null ? '' : ` for ${duration(now.getTime() - Date.parse(startedAt))}`;
  const condition = workers.find((each) => each.name === worker)?.condition;
  if (condition === 'blocked')
    return finding(
      'workers_blocked',
      `It runs on ${name}${since}, and blocks its event loop.`,
      'Give its contract `compute: true`.',
    );
  if (condition === 'unreachable' || (condition === undefined && worker !== null))
    return finding(
      'worker_lost',
      `Its worker ${name} is not heard any more.`,
      'Another worker gets it after the ack wait, which is 30 seconds unless configured.',
    );
  return finding('running', `It runs on ${name}${since}.`);
}

function keyFinding(
  task: string,
  { name, key, concurrency, running, waiting }: NonNullable<WhyFacts['keyWait']>,
): Finding {
  return finding(
    'key_limited',
    `At most ${concurrency} tasks with the ${name} ${key} run at once: ${running} run, and ${waiting} wait.`,
    `Raise the limit: stratum limits set ${task} ${name} --concurrency <count>`,
  );
}

function waitFinding({ kind, name, id, until, others }: NonNullable<WhyFacts['waitsFor']>): Finding {
  const more =
    others === 0 ? '' : ` ${count(others, 'further wait')} of its steps ${others === 1 ? 'is' : 'are'} open.`;
  if (kind === 'event')
    return finding(
      'waits_for_event',
      `It waits for the event ${name}${untilText(until)}, and then goes on without it.${more}`,
      `Send it: stratum send-event ${name}`,
      until,
    );
  return finding(
    'waits_for_task',
    `It waits for the task ${name} that it has called.${more}`,
    id && `Look at it: stratum result ${id}`,
  );
}

function circuitFinding({ service, key, state, retryAt, error }: NonNullable<WhyFacts['circuit']>): Finding {
  const name = key === '' ? service : `${service} ${key}`;
  const close = `stratum breakers close ${name}`;
  if (state === 'held')
    return finding(
      'circuit_open',
      `An operator keeps tasks from the service ${name}.`,
      `Close the circuit: ${close}`,
    );
  if (state === 'waking' || state === 'closed')
    return finding(
      'circuit_open',
      `The service ${name} is back, and those who waited start a few at a time.`,
    );
  const failure = error === '' ? '' : ` The newest failure: ${error}`;
  return finding(
    'circuit_open',
    `The service ${name} is away, so the task waits and spends no retry.${failure}`,
    `It starts once a try succeeds. To close the circuit now: ${close}`,
    retryAt,
  );
}

function delayedFinding({ dueAt }: WhyFacts): Finding {
  return finding('delayed', `It is delayed${untilText(dueAt)}.`, null, dueAt);
}

function backOffFinding({ dueAt, lastError }: WhyFacts): Finding {
  const cause = lastError === null ? '' : ` The last attempt failed: ${lastError}`;
  return finding('back_off', `It waits before its next attempt${untilText(dueAt)}.${cause}`, null, dueAt);
}

function untilText(at: string | null): string {
  return at === null ? '' : ` until ${at}`;
}

/** What would keep it from a worker now. The first reason that others follow from ends the list. */
function obstaclesOf(facts: WhyFacts): Finding[] {
  const { queue, lane } = facts;
  const found: Finding[] = [];
  if (lane?.paused === true)
    found.push(
      finding('queue_paused', `The queue ${queue} is paused.`, `Resume it: stratum control resume ${queue}`),
    );
  const missing = missingWorker(facts);
  return [...found, ...(missing === undefined ? turnFindings(facts) : [missing])];
}

function missingWorker({ queue, task, workers }: WhyFacts): Finding | undefined {
  const serving = workers.filter(({ queues }) => queues.includes(queue));
  const start = `Start one: stratum worker -Q ${queue}`;
  if (serving.length === 0) return finding('no_worker', `No worker serves the queue ${queue}.`, start);
  const reached = serving.filter(({ condition }) => condition !== 'unreachable');
  if (reached.length === 0)
    return finding('workers_unreachable', `The workers of the queue ${queue} are not heard any more.`, start);
  if (reached.every(({ condition }) => condition === 'blocked'))
    return finding(
      'workers_blocked',
      `A handler blocks the event loop of every worker of the queue ${queue}.`,
      'Give the contract of the computing task `compute: true`.',
    );
  // A worker of an older version does not say what it knows.
  const knows = reached.some(
    ({ contracts }) => contracts === undefined || contracts.some((each) => each.split(':')[0] === task),
  );
  if (knows) return undefined;
  return finding(
    'no_worker_for_task',
    `No worker of the queue ${queue} knows the task ${task}.`,
    'Deploy a worker with a handler for it.',
  );
}

function turnFindings(facts: WhyFacts): Finding[] {
  const { rate, workers, queue, waitingBefore, lane, sequence, outPerS, now } = facts;
  const found: Finding[] = [];
  if (rate !== null && rate.waiting > 0)
    found.push(
      finding(
        'rate_limited',
        `Its task starts at most ${rate.limit} times in ${duration(rate.perMs)}, and ${rate.waiting} wait for their turn.`,
        'Raise the limit: stratum control rate-limit',
        new Date(now.getTime() + (rate.waiting * rate.perMs) / rate.limit).toISOString(),
      ),
    );
  const serving = workers.filter(
    ({ queues, condition }) =>
      queues.includes(queue) && condition !== 'unreachable' && condition !== 'blocked',
  );
  const slots = serving.reduce((sum, { concurrency }) => sum + concurrency, 0);
  const used = serving.reduce((sum, { running }) => sum + running, 0);
  if (slots > 0 && used >= slots)
    found.push(
      finding(
        'all_slots_busy',
        `All ${slots} slots of the queue ${queue} are busy.`,
        'Raise the concurrency of its workers, or start another.',
      ),
    );
  if (waitingBefore > 0)
    found.push(
      finding('lower_lane', `${waitingBefore.toLocaleString('en')} tasks of a higher priority go first.`),
    );
  const ahead =
    lane === null || sequence === null ? 0 : Math.min(lane.waiting, sequence - lane.delivered - 1);
  if (ahead > 0)
    found.push(
      finding(
        'behind',
        `At most ${ahead.toLocaleString('en')} tasks of its priority are before it.`,
        null,
        outPerS === null || outPerS === 0 || lane?.paused === true
          ? null
          : new Date(now.getTime() + (SECOND_MS * (ahead + waitingBefore)) / outPerS).toISOString(),
      ),
    );
  return found;
}
