import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call, messageOf, query } from '../api.js';
import { Chart } from '../chart.js';
import { count, duration, since } from '../format.js';
import type { Mark, Problem, SeriesData, Session, Snapshot } from '@stratum/dashboard/answers';
import { ActionButton, Icon, Loading, refusalOf, Time, useLoaded } from '../ui.js';
import { QueueTable } from './queue-table.js';

const VERDICTS = {
  moving: ['success', 'Everything is moving'],
  problems: ['alert', ''],
  unknown: ['question', 'The state is unknown'],
} as const;

export function Overview({
  snapshot,
  session,
}: {
  snapshot: Snapshot | undefined;
  session: Session;
}): JSX.Element {
  if (snapshot === undefined) return <Loading />;
  return (
    <>
      <Verdict snapshot={snapshot} session={session} />
      <section>
        <header class="section-head">
          <h2>Queues</h2>
          <a href="/queues">Control queues</a>
        </header>
        <QueueTable queues={snapshot.queues} at={snapshot.at} />
      </section>
      <Charts />
      <div class="facts">
        <section class="card">
          <h2>Workers</h2>
          <WorkerCounts snapshot={snapshot} />
        </section>
        <Lately />
        <section class="card">
          <h2>History</h2>
          <dl>
            <dt>Events read</dt>
            <dd>{count(snapshot.history.sequence)}</dd>
            <dt>Waiting to be read</dt>
            <dd>{count(snapshot.history.behind_events)}</dd>
            <dt>Gaps</dt>
            <dd>
              {snapshot.history.gaps === 0
                ? 'none'
                : `${count(snapshot.history.gaps)}: events were removed from the stream before they were read`}
            </dd>
          </dl>
        </section>
      </div>
    </>
  );
}

function Verdict({ snapshot, session }: { snapshot: Snapshot; session: Session }): JSX.Element {
  const { verdict, problems } = snapshot;
  const [icon, words] = VERDICTS[verdict];
  const title = words === '' ? `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}` : words;
  const busy = snapshot.queues.reduce((sum, { running }) => sum + running, 0);
  const waiting = snapshot.queues.reduce((sum, { high, normal, low }) => sum + high + normal + low, 0);
  const out = snapshot.queues.reduce((sum, { out_per_s: rate }) => sum + (rate ?? 0), 0);
  return (
    <section class={`verdict ${verdict}`} aria-label="Verdict">
      <div class="verdict-head">
        <span class="verdict-icon">
          <Icon name={icon} />
        </span>
        <div>
          <h1>{title}</h1>
          <p>
            {verdict === 'unknown'
              ? 'No advice is given on old data.'
              : `${count(busy)} running, ${count(waiting)} waiting, ${out.toFixed(out < 10 ? 1 : 0)} finished per second.`}{' '}
            {snapshot.sampled_at !== null && (
              <span class="faint">
                The broker was asked {duration(since(snapshot.sampled_at, Date.parse(snapshot.at)))} ago.
              </span>
            )}
          </p>
        </div>
      </div>
      {problems.length > 0 && (
        <ol class="problems">
          {problems.map((problem) => (
            <ProblemItem key={problem.code + problem.title} problem={problem} session={session} />
          ))}
        </ol>
      )}
    </section>
  );
}

function ProblemItem({ problem, session }: { problem: Problem; session: Session }): JSX.Element {
  const [error, setError] = useState<string>();
  const { resume } = problem;
  return (
    <li>
      <div>
        <h3>{problem.title}</h3>
        <p>{problem.evidence}</p>
        <p class="remedy">{error ?? problem.remedy}</p>
      </div>
      <div class="problem-actions">
        {resume !== undefined && (
          <ActionButton
            refusal={refusalOf(session, 'queues:control')}
            look="primary"
            onClick={() => {
              call('POST', `/api/queues/${resume}/resume`, {}).catch((failure: unknown) =>
                setError(messageOf(failure)),
              );
            }}
          >
            Resume {resume}
          </ActionButton>
        )}
        {problem.link !== 'overview' && (
          <a class="button" href={`/${problem.link}`}>
            Look
          </a>
        )}
      </div>
    </li>
  );
}

const RANGES = [1, 6, 24] as const;

function Charts(): JSX.Element {
  const [hours, setHours] = useState<number>(1);
  const marks = useMarks(hours);
  return (
    <section>
      <header class="section-head">
        <h2>All queues</h2>
        <div class="segments" role="group" aria-label="Range">
          {RANGES.map((each) => (
            <button key={each} type="button" aria-pressed={each === hours} onClick={() => setHours(each)}>
              {each} h
            </button>
          ))}
        </div>
      </header>
      <div class="charts">
        <SeriesChart metric="throughput" title="Started and finished" hours={hours} marks={marks} />
        <SeriesChart metric="waiting" title="Waiting" hours={hours} marks={marks} />
        <SeriesChart metric="oldest" title="Age of the oldest waiting task" hours={hours} marks={marks} />
        <SeriesChart metric="slots" title="Slots" hours={hours} marks={marks} />
      </div>
    </section>
  );
}

/** What may explain a bend in a chart of that time. @param queue `undefined`: all queues */
export function useMarks(hours: number, queue?: string): readonly Mark[] {
  const turn = Math.floor(Date.now() / REFRESH_MS);
  const { value } = useLoaded(`${hours} ${queue} ${turn}`, () =>
    call<{ items: Mark[] }>('GET', `/api/marks${query({ hours, queue })}`),
  );
  return value?.items ?? [];
}

const LATELY_HOURS = 24;
const SHOWN_MARKS = 10;

/** The last deployments and changes by people. */
function Lately(): JSX.Element {
  const marks = useMarks(LATELY_HOURS);
  return (
    <section class="card">
      <h2>Lately</h2>
      {marks.length === 0 ? (
        <p class="faint">No new version and no change of a queue or worker in the last 24 hours.</p>
      ) : (
        <ol class="lately">
          {marks
            .slice(-SHOWN_MARKS)
            .toReversed()
            .map(({ at, kind, text }) => (
              <li key={at + text}>
                <span class="faint">
                  <Time at={at} />
                </span>{' '}
                {kind === 'deployment' ? 'Version ' : ''}
                {text}
              </li>
            ))}
        </ol>
      )}
    </section>
  );
}

const REFRESH_MS = 10_000;

export function SeriesChart({
  metric,
  title,
  hours,
  marks,
  queue,
}: {
  metric: string;
  title: string;
  hours: number;
  marks: readonly Mark[];
  queue?: string;
}): JSX.Element {
  // Anew with each sample.
  const turn = Math.floor(Date.now() / REFRESH_MS);
  const { value, error } = useLoaded(`${metric} ${hours} ${queue} ${turn}`, () =>
    call<SeriesData>('GET', `/api/series${query({ metric, hours, queue })}`),
  );
  if (value === undefined)
    return (
      <figure class="chart">
        <h3>{title}</h3>
        {error === undefined ? <Loading /> : <p>{error.message}</p>}
      </figure>
    );
  return <Chart title={title} data={value} marks={marks} sampling={`every ${value.step_s} s`} />;
}

const CONDITION_WORDS = ['ready', 'busy', 'draining', 'blocked', 'unreachable'] as const;

function WorkerCounts({ snapshot }: { snapshot: Snapshot }): JSX.Element {
  if (snapshot.workers.length === 0)
    return (
      <p>
        No worker has been heard in the last day. Start one with <code>stratum worker -Q sync</code>.
      </p>
    );
  return (
    <dl>
      {CONDITION_WORDS.map((condition) => {
        const n = snapshot.workers.filter((worker) => worker.condition === condition).length;
        return n === 0 ? null : (
          <>
            <dt>{condition}</dt>
            <dd>
              <a href="/workers">{count(n)}</a>
            </dd>
          </>
        );
      })}
      <dt>schedulers</dt>
      <dd>
        {snapshot.schedulers.length === 0
          ? 'none'
          : snapshot.schedulers.map(({ name, leads }) => `${name}${leads ? ' (leads)' : ''}`).join(', ')}
      </dd>
    </dl>
  );
}
