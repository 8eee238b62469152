/** What needs a person now, by the facts of one moment: causes before what follows from them. */
import { dataProblem, freshnessProblems } from './data-problems.js';
import { PROBLEM_CODES, type Facts, type Problem } from './facts.js';
import { queueProblems } from './queue-problems.js';
import { taskProblems } from './task-problems.js';
import { workerProblems } from './worker-problems.js';

export const VERDICTS = ['moving', 'problems', 'unknown'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** Old data are no ground for advice: they are the only problem then. */
export function findProblems(facts: Facts): { verdict: Verdict; problems: Problem[] } {
  const unknown = dataProblem(facts);
  if (unknown !== undefined) return { verdict: 'unknown', problems: [unknown] };
  const problems = [
    ...freshnessProblems(facts),
    ...workerProblems(facts),
    ...queueProblems(facts),
    ...taskProblems(facts),
  ].toSorted((a, b) => PROBLEM_CODES.indexOf(a.code) - PROBLEM_CODES.indexOf(b.code));
  return { verdict: problems.length === 0 ? 'moving' : 'problems', problems };
}
