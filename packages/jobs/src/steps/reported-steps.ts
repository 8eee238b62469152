/** What the event of an attempt's end says of the steps of its run: not their results. */
import type { ReportedStep, ReportedSteps } from '../wire/event.js';
import type { StepEntry } from './entry.js';

/** The newest of a run are reported: with 1,000 steps the event stays below 20 kB. */
const MAX_REPORTED = 50;

/**
 * `undefined`: the run has no steps. Call it once the attempt is over: a step that has begun and not ended has failed.
 * @param entries by position, in any order
 * @param now milliseconds since 1970
 */
export function reportedSteps(
  entries: ReadonlyMap<string, StepEntry>,
  now: number,
): ReportedSteps | undefined {
  if (entries.size === 0) return undefined;
  const inOrder = [...entries].toSorted(
    ([, a], [, b]) => Date.parse(a.started_at) - Date.parse(b.started_at),
  );
  return {
    total: entries.size,
    newest: inOrder.slice(-MAX_REPORTED).map(([position, entry]) => reported(position, entry, now)),
  };
}

function reported(position: string, entry: StepEntry, now: number): ReportedStep {
  const { name, attempts, started_at: startedAt, ended_at: endedAt, until, kind } = entry;
  if (kind === 'sleep') {
    const isOver = until !== undefined && Date.parse(until) <= now;
    return { position, name, state: isOver ? 'done' : 'waiting', attempts, started_at: startedAt, until };
  }
  const state = entry.state === 'done' ? 'done' : 'failed';
  return { position, name, state, attempts, started_at: startedAt, ended_at: endedAt };
}
