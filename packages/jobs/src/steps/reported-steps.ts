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
  const { name, attempts, started_at: startedAt, ended_at: endedAt, until, kind, called } = entry;
  const common = { position, name, attempts, started_at: startedAt };
  switch (kind) {
    case 'step':
      return { ...common, state: entry.state === 'done' ? 'done' : 'failed', ended_at: endedAt };
    case 'sleep': {
      const isOver = until !== undefined && Date.parse(until) <= now;
      return { ...common, state: isOver ? 'done' : 'waiting', until };
    }
    case 'event':
      return {
        ...common,
        kind,
        state: entry.state === 'done' ? 'done' : 'waiting',
        ended_at: endedAt,
        until,
      };
    case 'task':
      return { ...common, kind, task_id: called?.id, state: stateOfCall(entry), ended_at: endedAt };
  }
}

function stateOfCall({ state, failure }: StepEntry): ReportedStep['state'] {
  if (state === 'started') return 'waiting';
  return failure === undefined ? 'done' : 'failed';
}
