/** Where the time of a run went: waiting, by its reason, and running, attempt by attempt. */
import type { JSX } from 'preact';
import { attemptsOf } from '../attempts.js';
import { duration } from '../format.js';
import type { Attempt, Run } from '@stratum/dashboard/answers';

interface Span {
  kind:
    | 'delayed'
    | 'backoff'
    | 'waiting'
    | 'running'
    | 'failed'
    | 'succeeded'
    | 'suspended'
    | 'released'
    | 'lost';
  label: string;
  from: number;
  to: number;
}

const WORDS: Readonly<Record<Span['kind'], string>> = {
  delayed: 'delayed until it was due',
  backoff: 'backoff before the retry',
  waiting: 'waited for a worker',
  running: 'running',
  failed: 'ran and failed',
  succeeded: 'ran and succeeded',
  suspended: 'ran until it slept',
  released: 'ran and was handed back',
  lost: 'its worker was lost',
};

function spansOf(run: Run, now: number): Span[] {
  const spans: Span[] = [];
  const add = (kind: Span['kind'], from: number, to: number, label = WORDS[kind]): void => {
    if (to > from) spans.push({ kind, label, from, to });
  };
  let before = Date.parse(run.enqueued_at);
  const attempts = attemptsOf(run);
  attempts.forEach((attempt, index) => {
    const started = Date.parse(attempt.started_at ?? attempt.at);
    const ready = Math.min(
      started,
      attempt.ready_at === null ? before : Math.max(before, Date.parse(attempt.ready_at)),
    );
    const earlier = attempts[index - 1];
    add(earlier === undefined || isSuspended(earlier) ? 'delayed' : 'backoff', before, ready);
    add('waiting', ready, started);
    const next = attempts[index + 1]?.started_at ?? null;
    const isRunning = attempt.state === 'STARTED';
    // The event of a retry has no time of its end.
    const ended = attempt.runtime_ms === null ? Date.parse(attempt.at) : started + attempt.runtime_ms;
    const end = isRunning ? (next === null ? now : Date.parse(next)) : ended;
    const kind = isRunning ? (next === null ? 'running' : 'lost') : endOf(attempt);
    add(kind, started, Math.max(end, started + 1), `attempt ${index + 1}: ${WORDS[kind]}`);
    before = Math.max(started, end);
  });
  const isOpen = run.finished_at === null;
  if (isOpen && run.state !== 'STARTED')
    add(run.state === 'RETRY' ? 'backoff' : run.state === 'SCHEDULED' ? 'delayed' : 'waiting', before, now);
  if (!isOpen && attempts.length === 0) add('waiting', before, Date.parse(run.finished_at ?? ''));
  return spans;
}

function isSuspended({ state, error }: Attempt): boolean {
  return state === 'SCHEDULED' && error === null;
}

function endOf(attempt: Attempt): Span['kind'] {
  if (attempt.state === 'SUCCESS') return 'succeeded';
  if (attempt.state === 'QUEUED') return 'released';
  return isSuspended(attempt) ? 'suspended' : 'failed';
}

export function Waterfall({ run }: { run: Run }): JSX.Element {
  const now = Date.now();
  const spans = spansOf(run, now);
  const [first] = spans;
  const last = spans.at(-1);
  if (first === undefined || last === undefined) return <p class="note">The run has no measurable length.</p>;
  const whole = Math.max(1, last.to - first.from);
  return (
    <section class="card waterfall" aria-label="Where the time went">
      <header>
        <h2>Where the time went</h2>
        <span class="faint">{duration(whole)} in all</span>
      </header>
      <ol>
        {spans.map((span) => (
          <li key={`${span.kind} ${span.from}`}>
            <span class="span-label">{span.label}</span>
            <span class="track">
              <span
                class={`span span-${span.kind}`}
                style={{
                  left: `${(100 * (span.from - first.from)) / whole}%`,
                  width: `${(100 * (span.to - span.from)) / whole}%`,
                }}
              />
            </span>
            <span class="span-time">{duration(span.to - span.from)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}
