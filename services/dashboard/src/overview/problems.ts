/** What needs a person now, by the facts of one moment: the worst first. */

export interface QueueFacts {
  queue: string;
  high: number;
  normal: number;
  low: number;
  delayed: number;
  running: number;
  paused: boolean;
  /** When the oldest task that could run was stored. */
  oldest_at: string | null;
  slots: number;
  slots_used: number;
  /** Over the last minute; `null` until it is known. */
  in_per_s: number | null;
  out_per_s: number | null;
}

export interface WorkerFacts {
  name: string;
  condition: string;
  queues: readonly string[];
  running: number;
  at: string;
}

export interface FailureFacts {
  task: string;
  queue: string;
  failed: number;
  ended: number;
}

export interface Facts {
  now: Date;
  /** When the broker was asked last; `null`: never. */
  sampledAt: Date | null;
  /** How old the newest event of the history is that waits to be read, in milliseconds; 0: none waits. */
  historyBehindMs: number;
  queues: readonly QueueFacts[];
  workers: readonly WorkerFacts[];
  schedulers: number;
  /** Attempts of the last 15 minutes, by task. */
  failures: readonly FailureFacts[];
}

export type ProblemCode =
  | 'data_stale'
  | 'history_behind'
  | 'no_worker'
  | 'paused_with_backlog'
  | 'not_moving'
  | 'waiting_too_long'
  | 'worker_unreachable'
  | 'worker_blocked'
  | 'task_failing'
  | 'no_scheduler';

export interface Problem {
  code: ProblemCode;
  /** One sentence. */
  title: string;
  evidence: string;
  /** What helps, in one sentence. */
  remedy: string;
  /** Of the dashboard. */
  link: string;
  /** The queue that a button may resume. */
  resume?: string;
}

export type Verdict = 'moving' | 'problems' | 'unknown';

const STALE_MS = 30_000;
const MAX_WAIT_MS = 300_000;
const FAILING_SHARE = 0.5;
const FAILING_LEAST = 5;
const SECOND_MS = 1_000;

function waiting({ high, normal, low }: QueueFacts): number {
  return high + normal + low;
}

/** Old data are no ground for advice: they are the only problem then. */
export function findProblems(facts: Facts): { verdict: Verdict; problems: Problem[] } {
  const stale = staleData(facts);
  if (stale !== undefined) return { verdict: 'unknown', problems: [stale] };
  const problems = [
    ...facts.queues.flatMap((queue) => queueProblem(queue, facts)),
    ...workerProblems(facts),
    ...schedulerProblem(facts),
    ...facts.failures.flatMap(failureProblem),
    ...historyProblem(facts),
  ];
  return { verdict: problems.length === 0 ? 'moving' : 'problems', problems };
}

function staleData({ now, sampledAt }: Facts): Problem | undefined {
  const ageMs = sampledAt === null ? undefined : now.getTime() - sampledAt.getTime();
  if (ageMs !== undefined && ageMs <= STALE_MS) return undefined;
  return {
    code: 'data_stale',
    title: 'The state of the platform is not known.',
    evidence:
      ageMs === undefined
        ? 'The broker has not been asked yet.'
        : `The broker last answered ${duration(ageMs)} ago.`,
    remedy: 'Check that NATS and PostgreSQL run and that the dashboard reaches them; its log has the error.',
    link: 'overview',
  };
}

/** The first cause: what follows from it is not reported beside it. */
function queueProblem(queue: QueueFacts, facts: Facts): Problem[] {
  const backlog = waiting(queue);
  if (backlog === 0) return [];
  const link = `queues/${queue.queue}`;
  const evidence = `${count(backlog, 'task')} waiting${oldestText(queue, facts)}.`;
  if (queue.paused)
    return [
      {
        code: 'paused_with_backlog',
        title: `The queue ${queue.queue} is paused while tasks wait in it.`,
        evidence,
        remedy: 'Resume it when the reason for the pause is gone.',
        link,
        resume: queue.queue,
      },
    ];
  if (queue.slots === 0)
    return [
      {
        code: 'no_worker',
        title: `No worker serves the queue ${queue.queue}.`,
        evidence,
        remedy: `Start one: stratum worker -Q ${queue.queue}`,
        link,
      },
    ];
  const oldestMs = oldestAgeMs(queue, facts);
  if (queue.out_per_s === 0 && oldestMs > MINUTE_MS)
    return [
      {
        code: 'not_moving',
        title: `Nothing of the queue ${queue.queue} has finished for a minute.`,
        evidence: `${evidence} ${queue.slots_used} of ${queue.slots} slots are used.`,
        remedy: 'See which tasks hold the slots, and for how long.',
        link,
      },
    ];
  if (oldestMs > MAX_WAIT_MS)
    return [
      {
        code: 'waiting_too_long',
        title: `Tasks of the queue ${queue.queue} wait for more than ${duration(MAX_WAIT_MS)}.`,
        evidence: `${evidence} ${queue.slots_used} of ${queue.slots} slots are used.`,
        remedy: 'Raise the concurrency of its workers, or start another worker.',
        link,
      },
    ];
  return [];
}

const MINUTE_MS = 60_000;

function oldestAgeMs({ oldest_at: at }: QueueFacts, { now }: Facts): number {
  return at === null ? 0 : now.getTime() - Date.parse(at);
}

function oldestText(queue: QueueFacts, facts: Facts): string {
  const ageMs = oldestAgeMs(queue, facts);
  return ageMs < SECOND_MS ? '' : `, the oldest for ${duration(ageMs)}`;
}

function workerProblems({ workers, now }: Facts): Problem[] {
  return workers.flatMap((worker): Problem[] => {
    const link = `workers?worker=${encodeURIComponent(worker.name)}`;
    const heard = duration(now.getTime() - Date.parse(worker.at));
    if (worker.condition === 'unreachable' && worker.running > 0)
      return [
        {
          code: 'worker_unreachable',
          title: `The worker ${worker.name} is gone, and it had ${count(worker.running, 'task')}.`,
          evidence: `Its last heartbeat is ${heard} old.`,
          remedy: 'Its tasks run again elsewhere after the ack wait. Look at the machine it ran on.',
          link,
        },
      ];
    if (worker.condition === 'blocked')
      return [
        {
          code: 'worker_blocked',
          title: `A handler blocks the event loop of the worker ${worker.name}.`,
          evidence: `It holds ${count(worker.running, 'task')} and answers nobody.`,
          remedy: 'Give the contract of the computing task `compute: true`.',
          link,
        },
      ];
    return [];
  });
}

function schedulerProblem({ schedulers }: Facts): Problem[] {
  if (schedulers > 0) return [];
  return [
    {
      code: 'no_scheduler',
      title: 'No scheduler runs: nothing is put into the queues at its time.',
      evidence: 'No scheduler has signed in for 15 seconds.',
      remedy: 'Start one: stratum scheduler',
      link: 'workers',
    },
  ];
}

function failureProblem({ task, queue, failed, ended }: FailureFacts): Problem[] {
  if (failed < FAILING_LEAST || failed / ended < FAILING_SHARE) return [];
  return [
    {
      code: 'task_failing',
      title: `The task ${task} fails in ${Math.round((100 * failed) / ended)} % of its attempts.`,
      evidence: `${failed} of ${count(ended, 'attempt')} failed in the last 15 minutes.`,
      remedy: 'Read the error of the newest failure.',
      link: `tasks?q=${encodeURIComponent(`state:failure,retry task:${task} queue:${queue}`)}`,
    },
  ];
}

function historyProblem({ historyBehindMs }: Facts): Problem[] {
  if (historyBehindMs < STALE_MS) return [];
  return [
    {
      code: 'history_behind',
      title: 'This dashboard is behind: its history does not show the newest events.',
      evidence: `Events wait for ${duration(historyBehindMs)}.`,
      remedy: 'Look into the log of the dashboard for the error of the projector.',
      link: 'overview',
    },
  ];
}

function count(n: number, noun: string): string {
  return `${n.toLocaleString('en')} ${noun}${n === 1 ? '' : 's'}`;
}

/** In the largest unit that fits, and the next. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / SECOND_MS));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}
