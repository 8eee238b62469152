/** What needs a person now, by the facts of one moment: causes before what follows from them. */
import { dataProblem, freshnessProblems } from './data-problems.js';
import type { Facts, Problem, ProblemCode } from './facts.js';
import { queueProblems } from './queue-problems.js';
import { taskProblems } from './task-problems.js';
import { workerProblems } from './worker-problems.js';

export const VERDICTS = ['moving', 'problems', 'unknown'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** The worst first: a worker that is gone explains a queue without one, and either explains tasks that wait. */
const ORDER: readonly ProblemCode[] = [
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
];

/** Old data are no ground for advice: they are the only problem then. */
export function findProblems(facts: Facts): { verdict: Verdict; problems: Problem[] } {
  const unknown = dataProblem(facts);
  if (unknown !== undefined) return { verdict: 'unknown', problems: [unknown] };
  const problems = [
    ...freshnessProblems(facts),
    ...workerProblems(facts),
    ...queueProblems(facts),
    ...taskProblems(facts),
  ].toSorted((a, b) => ORDER.indexOf(a.code) - ORDER.indexOf(b.code));
  return { verdict: problems.length === 0 ? 'moving' : 'problems', problems };
}
