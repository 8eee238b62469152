/** Workers that are gone or blocked, and schedulers. */
import type { Facts, Problem, WorkerFacts } from './facts.js';
import { count, duration } from './words.js';

/** One that is gone is a problem while tasks wait for the end of its ack wait; once others hold them, it is none. */
export function workerProblems({ workers, now, signals }: Facts): Problem[] {
  const problems = workers.flatMap((worker): Problem[] => {
    if (worker.condition === 'blocked') return [blocked(worker)];
    if (worker.condition !== 'unreachable') return [];
    const held = signals.running.reduce(
      (sum, { worker: name, n }) => sum + (name === worker.name ? n : 0),
      0,
    );
    return held === 0 ? [] : [gone(worker, held, now)];
  });
  if (signals.is_led) return problems;
  return [
    ...problems,
    {
      code: 'no_scheduler',
      title: 'No scheduler runs: nothing is put into the queues at its time.',
      evidence: 'No scheduler has taken the lead.',
      remedy: 'Start one: stratum scheduler',
      link: 'workers',
    },
  ];
}

function gone({ name, at }: WorkerFacts, held: number, now: Date): Problem {
  return {
    code: 'worker_unreachable',
    title: `The worker ${name} is gone, and it had ${count(held, 'task')}.`,
    evidence: `Its last heartbeat is ${duration(now.getTime() - Date.parse(at))} old.`,
    remedy: `${held === 1 ? 'The task runs' : 'Its tasks run'} again elsewhere after the ack wait. Look at the machine it ran on.`,
    link: linkTo(name),
  };
}

function blocked({ name, running }: WorkerFacts): Problem {
  return {
    code: 'worker_blocked',
    title: `A handler blocks the event loop of the worker ${name}.`,
    evidence: `It holds ${count(running, 'task')} and answers nobody.`,
    remedy: 'Give the contract of the computing task `compute: true`.',
    link: linkTo(name),
  };
}

function linkTo(worker: string): string {
  return `workers?worker=${encodeURIComponent(worker)}`;
}
