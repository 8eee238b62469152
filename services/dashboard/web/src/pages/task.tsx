import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { call, query } from '../api.js';
import { duration, shortId, since } from '../format.js';
import type { Attempt, Run, RunState, Session, Snapshot, TaskRecord } from '@stratum/dashboard/answers';
import {
  ActionButton,
  ConfirmDialog,
  CopyButton,
  Failed,
  Loading,
  Pre,
  refusalOf,
  Scroll,
  StateBadge,
  Time,
  useLoaded,
} from '../ui.js';
import { attemptsOf } from '../attempts.js';
import { Steps } from './steps.js';
import { Waterfall } from './waterfall.js';
import { Why } from './why.js';

interface Found {
  record: TaskRecord | null;
  runs: Run[];
}

export function Task({
  id,
  snapshot,
  session,
}: {
  id: string;
  snapshot: Snapshot | undefined;
  session: Session;
}): JSX.Element {
  const [hasEnded, setEnded] = useState(false);
  // Until it has ended, each new event may be its own.
  const sequence = hasEnded ? 0 : (snapshot?.history.sequence ?? 0);
  const { value, error, reload } = useLoaded(`${id} ${sequence}`, () =>
    call<Found>('GET', `/api/tasks/${id}`),
  );
  useEffect(
    () => setEnded(value !== undefined && ENDED.has(stateOf(value)) && value.runs.length > 0),
    [value],
  );
  if (error !== undefined && value === undefined) return <Failed error={error} retry={reload} />;
  if (value === undefined) return <Loading />;
  return <TaskView id={id} found={value} session={session} onChange={reload} />;
}

const ENDED: ReadonlySet<string> = new Set(['SUCCESS', 'FAILURE', 'REVOKED', 'EXPIRED']);

/** The state that the broker knows, in the words of the history. */
function stateOf({ record, runs }: Found): RunState {
  if (record !== null) return record.state === 'PENDING' ? 'QUEUED' : record.state;
  return runs[0]?.state ?? 'QUEUED';
}

function TaskView({
  id,
  found,
  session,
  onChange,
}: {
  id: string;
  found: Found;
  session: Session;
  onChange: () => void;
}): JSX.Element {
  const [asks, setAsks] = useState<'revoke' | 'terminate'>();
  const { record, runs } = found;
  const run = runs[0];
  const state = stateOf(found);
  const task = record?.task ?? run?.task ?? '';
  const queue = record?.queue ?? run?.queue ?? '';
  const canRevoke = record !== null && !ENDED.has(state);
  return (
    <>
      <nav class="crumbs" aria-label="Place">
        <a href="/tasks">Tasks</a> / <a href={`/tasks${query({ q: `task:${task}` })}`}>{task}</a>
      </nav>
      <header class="page-head">
        <div>
          <h1>
            {task} <StateBadge state={state} />
          </h1>
          <p class="mono id">{id}</p>
        </div>
        <div class="buttons">
          <CopyButton text={id} label="Copy id" />
          <CopyButton text={`stratum result ${id}`} label="Copy as command" />
          {state === 'FAILURE' && session.rights.includes('failures:edit') && (
            <a class="button" href={`/tasks/${id}/edit`}>
              Edit and replay
            </a>
          )}
          {canRevoke && (
            <ActionButton
              refusal={refusalOf(session, 'tasks:revoke')}
              look="danger"
              onClick={() => setAsks(state === 'STARTED' ? 'terminate' : 'revoke')}
            >
              Revoke
            </ActionButton>
          )}
        </div>
      </header>
      {!ENDED.has(state) && <Why id={id} />}
      {run === undefined ? (
        <p class="note">
          The task waits in the queue <a href={`/queues/${queue}`}>{queue}</a>. It has no history until a
          worker takes it.
        </p>
      ) : (
        <Waterfall run={run} />
      )}
      <div class="columns">
        <section class="card">
          <h2>Facts</h2>
          <Facts found={found} />
        </section>
        <div>
          {run?.error_type !== null && run !== undefined && (
            <section class="card">
              <h2>Error</h2>
              <p class="error-title">
                {run.error_type}: {run.error_message}
              </p>
              {record?.error?.stack !== null && record?.error !== null && record !== null && (
                <Pre>{record.error.stack}</Pre>
              )}
              <p>
                <a href={`/tasks${query({ q: `group:${run.error_group}` })}`}>All runs with this error</a>
              </p>
            </section>
          )}
          {run !== undefined && <Steps run={run} />}
          {run !== undefined && attemptsOf(run).length > 0 && (
            <section class="card">
              <h2>Attempts</h2>
              <Attempts attempts={attemptsOf(run)} />
            </section>
          )}
          {record !== null && (
            <section class="card">
              <h2>Result</h2>
              {record.result === null || record.result === undefined ? (
                <p class="faint">
                  {ENDED.has(state) ? 'The task returned nothing.' : 'The task has not ended.'}
                </p>
              ) : (
                <Pre>{JSON.stringify(record.result, undefined, 2)}</Pre>
              )}
              {record.payload !== undefined && (
                <>
                  <h3>Payload, masked</h3>
                  <Pre>{JSON.stringify(record.payload, undefined, 2)}</Pre>
                </>
              )}
            </section>
          )}
          {record === null && <p class="note">The result is no longer kept by the broker. The history is.</p>}
        </div>
      </div>
      {runs.length > 1 && (
        <section>
          <h2>Earlier runs with this id</h2>
          <ul class="plain">
            {runs.slice(1).map((each) => (
              <li key={each.enqueued_at}>
                <StateBadge state={each.state} /> enqueued <Time at={each.enqueued_at} />, ran{' '}
                {duration(each.runtime_ms)}
              </li>
            ))}
          </ul>
        </section>
      )}
      {asks !== undefined && (
        <ConfirmDialog
          title={`Revoke ${shortId(id)}?`}
          text={
            asks === 'revoke'
              ? 'The task is removed from its queue and does not run.'
              : 'Its worker is told to stop it: the signal of the attempt is aborted.'
          }
          action="Revoke"
          danger
          onClose={() => setAsks(undefined)}
          onConfirm={async () => {
            await call('POST', `/api/tasks/${id}/revoke`, {});
            onChange();
          }}
        />
      )}
    </>
  );
}

function Facts({ found: { record, runs } }: { found: Found }): JSX.Element {
  const [run] = runs;
  const rows: [string, JSX.Element | string | null][] = [
    ['Queue', <a href={`/queues/${record?.queue ?? run?.queue ?? ''}`}>{record?.queue ?? run?.queue}</a>],
    ['Priority', run?.priority ?? null],
    ['Tenant', run === undefined || run.tenant_id === '0' ? null : run.tenant_id],
    ['Enqueued', <Time at={run?.enqueued_at ?? record?.enqueued_at ?? null} />],
    ['Ended', run?.finished_at === null || run === undefined ? null : <Time at={run.finished_at} />],
    ['Worker', run?.worker ?? null],
    ['Worker version', run?.worker_version ?? null],
    [
      'Progress',
      record?.progress
        ? `${record.progress.done} of ${record.progress.total} ${record.progress.note ?? ''}`
        : null,
    ],
    ['Schedule', run?.schedule ? `${run.schedule}, tick ${run.tick ?? ''}` : null],
    [
      'Workflow',
      run?.workflow_id ? (
        <a href={`/tasks${query({ q: `workflow:${run.workflow_id}` })}`}>{run.workflow_id}</a>
      ) : null,
    ],
    ['Parent', run?.parent_id ? <a href={`/tasks/${run.parent_id}`}>{shortId(run.parent_id)}</a> : null],
    [
      'First of the family',
      run?.root_id ? <a href={`/tasks/${run.root_id}`}>{shortId(run.root_id)}</a> : null,
    ],
    [
      'Trace',
      run?.trace_id ? (
        <a href={`/tasks${query({ q: `trace:${run.trace_id}` })}`}>{shortId(run.trace_id)}</a>
      ) : null,
    ],
  ];
  return (
    <dl>
      {rows
        .filter(([, value]) => value !== null)
        .map(([label, value]) => (
          <>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </>
        ))}
      {Object.entries(run?.labels ?? {}).map(([label, value]) => (
        <>
          <dt>{label}</dt>
          <dd>
            <a href={`/tasks${query({ q: `label.${label}:${value}` })}`}>{value}</a>
          </dd>
        </>
      ))}
    </dl>
  );
}

function Attempts({ attempts }: { attempts: readonly Attempt[] }): JSX.Element {
  return (
    <Scroll label="Attempts">
      <table>
        <thead>
          <tr>
            <th class="number">#</th>
            <th>State</th>
            <th>Started</th>
            <th class="number">Waited</th>
            <th class="number">Ran</th>
            <th>Worker</th>
            <th>Error</th>
          </tr>
        </thead>
        <tbody>
          {attempts.map((attempt, index) => (
            <tr key={attempt.started_at}>
              <td class="number">{index + 1}</td>
              <td>
                <StateBadge state={attempt.state} />
              </td>
              <td class="nowrap">
                <Time at={attempt.started_at} />
              </td>
              <td class="number">
                {duration(since(attempt.ready_at, Date.parse(attempt.started_at ?? attempt.at)))}
              </td>
              <td class="number">{duration(attempt.runtime_ms)}</td>
              <td class="cut" title={attempt.worker ?? undefined}>
                {attempt.worker ?? '–'}
              </td>
              <td class="bad cut" title={attempt.error?.message}>
                {attempt.error === null ? '' : `${attempt.error.type}: ${attempt.error.message}`}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
