/** What the overview judges: the facts of one moment. */
import { z } from 'zod';

const depth = z.int();
export const queueFacts = z.object({
  queue: z.string(),
  high: depth.describe('Tasks that could run.'),
  normal: depth,
  low: depth,
  delayed: depth,
  running: depth,
  paused: z.boolean(),
  oldest_at: z.iso.datetime().nullable().describe('When the oldest task that could run was stored.'),
  slots: z.int().describe('How many tasks the workers of the queue run at once, at most.'),
  slots_used: z.int(),
  in_per_s: z.number().nullable().describe('Over the last minute; `null` until it is known.'),
  out_per_s: z.number().nullable(),
});
export type QueueFacts = z.output<typeof queueFacts>;

export interface WorkerFacts {
  name: string;
  condition: string;
  queues: readonly string[];
  /** `<task>:<fingerprint>` of each task that it knows; a worker of an older version does not say. */
  contracts?: readonly string[] | undefined;
  running: number;
  at: string;
}

/** A task that failed often within the last 15 minutes. */
export interface FailureFacts {
  task: string;
  queue: string;
  failed: number;
  ended: number;
  /** Of its newest attempts, at most ten. */
  newest: { failed: number; ended: number; error: string | null };
}

/** What is sampled beside the queues and the workers. */
export interface Signals {
  /** How long the broker took to answer, in milliseconds: the quicker of two answers. */
  answer_ms: number;
  /** A scheduler leads. */
  is_led: boolean;
  /** Limits of tasks, and how many tasks wait for their turn. */
  rates: { task: string; limit: number; perMs: number; waiting: number }[];
  /** Limits by key before which tasks wait, over all their keys; since when there has been a line. */
  key_lines: { task: string; limit: string; keys: number; waiting: number; since: string }[];
  /** Outside services whose tasks wait. */
  circuits: {
    service: string;
    key: string;
    state: string;
    opened_at: string | null;
    retry_at: string | null;
    waiting: number;
    error: string;
  }[];
  /** Dead letters of the last 15 minutes that are still there; the tasks of the first of them. */
  letters: { total: number; tasks: { queue: string; task: string; n: number }[] };
  /** Runs that workers hold. */
  running: { worker: string; tenant_id: number; n: number }[];
  /** Runs that a worker has put off. */
  put_off: { queue: string; task: string; n: number }[];
  /** Tenants that hold all slots of a queue while tasks of others wait; since when. */
  sole_holders: { queue: string; tenant_id: number; slots: number; others: number; since: string }[];
}

export const NO_SIGNALS: Signals = {
  answer_ms: 0,
  is_led: true,
  rates: [],
  key_lines: [],
  circuits: [],
  letters: { total: 0, tasks: [] },
  running: [],
  put_off: [],
  sole_holders: [],
};

export interface Facts {
  now: Date;
  /** How long the database has not answered, in milliseconds. */
  databaseSilentMs: number;
  /** How long no sample of the broker has come, in milliseconds; `null`: none has come yet, and it is too early to wonder. */
  brokerSilentMs: number | null;
  /** How long the history has not shown what a sample saw in the stream of events, in milliseconds. */
  historyBehindMs: number;
  queues: readonly QueueFacts[];
  workers: readonly WorkerFacts[];
  failures: readonly FailureFacts[];
  signals: Signals;
}

/** The worst first: a worker that is gone explains a queue without one, and either explains tasks that wait. */
export const PROBLEM_CODES = [
  'database_silent',
  'broker_silent',
  'not_sampled',
  'history_behind',
  'broker_slow',
  'worker_unreachable',
  'worker_blocked',
  'paused_with_backlog',
  'no_worker',
  'no_worker_for_task',
  'no_scheduler',
  'circuit_open',
  'rate_limited',
  'key_limited',
  'slots_of_one_tenant',
  'task_failing',
  'not_moving',
  'waiting_too_long',
  'new_dead_letters',
] as const;
export type ProblemCode = (typeof PROBLEM_CODES)[number];

export const problem = z
  .object({
    code: z.enum(PROBLEM_CODES),
    title: z.string().describe('One sentence.'),
    evidence: z.string(),
    remedy: z.string().describe('What helps, in one sentence.'),
    link: z.string().describe('Of the dashboard.'),
    resume: z.string().optional().describe('The queue that a button may resume.'),
  })
  .meta({ id: 'OverviewProblem' });
export type Problem = z.output<typeof problem>;
