/** Tasks that fail, that nobody knows, that wait for a limit, or that have ended as dead letters. */
import type { Facts, FailureFacts, Problem, WorkerFacts } from './facts.js';
import { count, duration } from './words.js';

const FAILING_SHARE = 0.5;
const FAILING_LEAST = 5;
const LONG_TURN_MS = 60_000;
const MAX_ERROR_LENGTH = 160;

export function taskProblems(facts: Facts): Problem[] {
  const failing = facts.failures.filter(isFailing);
  return [
    ...unknownTasks(facts),
    ...openCircuits(facts),
    ...limitedTasks(facts),
    ...limitedKeys(facts),
    ...failing.map(failureProblem),
    ...newLetters(facts, failing),
  ];
}

/** A worker that met such a task has put it off, and after five minutes it is a dead letter. */
function unknownTasks({ signals, workers }: Facts): Problem[] {
  return signals.put_off.flatMap(({ queue, task, n }): Problem[] => {
    const serving = workers.filter(
      ({ queues, condition }) => queues.includes(queue) && condition !== 'unreachable',
    );
    // Without a worker nobody knows any task, which is another problem.
    if (serving.length === 0 || serving.some((worker) => knows(worker, task))) return [];
    return [
      {
        code: 'no_worker_for_task',
        title: `No worker of the queue ${queue} knows the task ${task}.`,
        evidence: `${count(n, 'task')} ${n === 1 ? 'waits' : 'wait'} for a worker with a handler for it.`,
        remedy:
          'Deploy a worker that knows it: after five minutes a task that nobody knows becomes a dead letter.',
        link: searchFor(`task:${task} queue:${queue}`),
      },
    ];
  });
}

function knows({ contracts }: WorkerFacts, task: string): boolean {
  return contracts === undefined || contracts.some((each) => each.split(':')[0] === task);
}

function openCircuits({ signals, now }: Facts): Problem[] {
  return signals.circuits.flatMap(
    ({ service, key, state, opened_at: openedAt, retry_at: retryAt, ...circuit }): Problem[] => {
      if (openedAt === null) return [];
      const name = key === '' ? service : `${service} ${key}`;
      const since = duration(now.getTime() - Date.parse(openedAt));
      const isHeld = state === 'held';
      const next =
        retryAt === null || Date.parse(retryAt) <= now.getTime()
          ? 'A task tries it now.'
          : `A task tries it in ${duration(Date.parse(retryAt) - now.getTime())}.`;
      const failure = circuit.error === '' ? '' : ` The newest failure: ${shortened(circuit.error)}`;
      return [
        {
          code: 'circuit_open',
          title: isHeld
            ? `An operator keeps tasks from the service ${name}.`
            : `The service ${name} is away, and its tasks wait.`,
          evidence: `For ${since}; ${count(circuit.waiting, 'task')} ${circuit.waiting === 1 ? 'waits' : 'wait'} without spending retries.${isHeld ? '' : ` ${next}${failure}`}`,
          remedy: isHeld
            ? `Close the circuit: stratum breakers close ${name}`
            : `It closes by itself once a try succeeds; to close it now: stratum breakers close ${name}`,
          link: 'tasks',
        },
      ];
    },
  );
}

function limitedTasks({ signals }: Facts): Problem[] {
  return signals.rates.flatMap(({ task, limit, perMs, waiting }): Problem[] => {
    const lastMs = (waiting * perMs) / limit;
    if (waiting === 0 || lastMs < LONG_TURN_MS) return [];
    return [
      {
        code: 'rate_limited',
        title: `The rate limit of the task ${task} holds ${count(waiting, 'task')} back.`,
        evidence: `It lets ${limit.toLocaleString('en')} start in ${duration(perMs)}; the last one waits for ${duration(lastMs)}.`,
        remedy: `Raise the limit: stratum control rate-limit ${task} <limit>`,
        link: searchFor(`task:${task}`),
      },
    ];
  });
}

/** A line that comes and goes is what a limit is for; one that stays means that its keys have more work than they may do. */
function limitedKeys({ signals, now }: Facts): Problem[] {
  return signals.key_lines.flatMap(({ task, limit, keys, waiting, since }): Problem[] => {
    const sinceMs = now.getTime() - Date.parse(since);
    if (sinceMs < LONG_TURN_MS) return [];
    return [
      {
        code: 'key_limited',
        title: `The limit ${limit} of the task ${task} holds ${count(waiting, 'task')} of ${count(keys, 'key')} back.`,
        evidence: `Tasks have waited for a place without a break for ${duration(sinceMs)}. They hold no slot, and nobody else waits for them.`,
        remedy: `See the keys: stratum limits list. To let more run at once: stratum limits set ${task} ${limit} --concurrency <number>`,
        link: searchFor(`task:${task}`),
      },
    ];
  });
}

/** It failed often, and has not recovered since. */
function isFailing({ failed, ended, newest }: FailureFacts): boolean {
  return (
    failed >= FAILING_LEAST &&
    failed / ended >= FAILING_SHARE &&
    newest.failed > 0 &&
    newest.failed / newest.ended >= FAILING_SHARE
  );
}

function failureProblem({ task, queue, failed, ended, newest }: FailureFacts): Problem {
  const error = newest.error === null ? '' : ` The newest: ${shortened(newest.error)}`;
  return {
    code: 'task_failing',
    title: `The task ${task} fails in ${Math.round((100 * failed) / ended)} % of its attempts.`,
    evidence: `${failed} of ${count(ended, 'attempt')} failed in the last 15 minutes, ${newest.failed} of the newest ${newest.ended}.${error}`,
    remedy: 'Read the error of the newest failure.',
    link: searchFor(`state:failure,retry task:${task} queue:${queue}`),
  };
}

/** Of a task that fails, its letters are no news. */
function newLetters({ signals }: Facts, failing: readonly FailureFacts[]): Problem[] {
  const isNews = ({ queue, task }: { queue: string; task: string }): boolean =>
    !failing.some((each) => each.queue === queue && each.task === task);
  const news = signals.letters.tasks.filter(isNews);
  const [first] = news;
  if (first === undefined) return [];
  const { total } = signals.letters;
  const names = [...new Set(news.map(({ task }) => task))];
  return [
    {
      code: 'new_dead_letters',
      title: `${count(total, 'task')} ${total === 1 ? 'has' : 'have'} become ${total === 1 ? 'a dead letter' : 'dead letters'} in the last 15 minutes.`,
      evidence: `Of ${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${count(names.length - 3, 'more task')}` : ''}.`,
      remedy: 'Read why, then replay or discard them: stratum dead list',
      link: 'failures',
    },
  ];
}

function shortened(text: string): string {
  const [line = ''] = text.split('\n');
  return line.length <= MAX_ERROR_LENGTH ? line : `${line.slice(0, MAX_ERROR_LENGTH - 1)}…`;
}

function searchFor(query: string): string {
  return `tasks?q=${encodeURIComponent(query)}`;
}
