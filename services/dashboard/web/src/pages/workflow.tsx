import type { ReplayOutcome, Session, Snapshot, WorkflowPage } from '@stratum/dashboard/answers';
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { call, query } from '../api.js';
import { count, duration, since } from '../format.js';
import {
  ActionButton,
  ConfirmDialog,
  CopyButton,
  Fact,
  Failed,
  Icon,
  Loading,
  refusalOf,
  stateWord,
  Time,
  useLoaded,
} from '../ui.js';
import { WorkflowBadge, WorkflowGraph } from './workflow-graph.js';

/** How often a workflow that runs is read again, at most. */
const EVERY_MS = 3_000;

export function Workflow({
  id,
  session,
  snapshot,
}: {
  id: string;
  session: Session;
  snapshot: Snapshot | undefined;
}): JSX.Element {
  const { value, error, reload } = useLoaded(id, () => call<WorkflowPage>('GET', `/api/workflows/${id}`));
  const isRunning = value !== undefined && (value.steps.STARTED ?? 0) + (value.steps.PENDING ?? 0) > 0;
  const moves = value?.state === 'STARTED' || isRunning;
  // The history grows with each event: while it does not, nothing here has changed.
  const sequence = snapshot?.history.sequence ?? 0;
  useEffect(() => {
    if (!moves) return undefined;
    const timer = setTimeout(reload, EVERY_MS);
    return () => clearTimeout(timer);
  }, [moves, sequence, value]);
  if (value === undefined) return error === undefined ? <Loading /> : <Failed error={error} retry={reload} />;
  return (
    <>
      <nav class="crumbs" aria-label="Place">
        <a href="/workflows">Workflows</a> / {id}
      </nav>
      <header class="page-head">
        <div>
          <h1>
            {value.outline ?? 'Refused workflow'} <WorkflowBadge state={value.state} />
          </h1>
          <p class="mono id">
            {id} <CopyButton text={id} label="Copy id" />
          </p>
        </div>
        <Controls page={value} session={session} onChange={reload} />
      </header>
      <Facts page={value} />
      {value.error !== null && <Failure page={value} />}
      <Waits page={value} />
      {value.graph !== null && (
        <section>
          <header class="section-head">
            <h2>Steps</h2>
            <span class="faint">
              <span class="legend-line critical" /> what the time of the whole depends on
            </span>
          </header>
          <WorkflowGraph root={value.graph} />
        </section>
      )}
    </>
  );
}

function Facts({ page }: { page: WorkflowPage }): JSX.Element {
  const { steps, tenant, started_at: started, finished_at: finished } = page;
  const { total, ...states } = steps;
  const done = steps.SUCCESS ?? 0;
  return (
    <dl class="stats">
      <Fact
        label="Steps"
        value={
          <>
            {count(done)} of {count(total)}
            <span class="faint">
              {Object.entries(states)
                .filter(([state]) => state !== 'SUCCESS')
                .map(([state, n = 0]) => `${count(n)} ${stateWord(state).toLowerCase()}`)
                .join(', ') || 'all succeeded'}
            </span>
          </>
        }
      />
      <Fact
        label="Took"
        value={duration(page.runtime_ms ?? (finished === null ? since(started, Date.now()) : null))}
      />
      <Fact label="Started" value={<Time at={started} />} />
      <Fact label="Ended" value={<Time at={finished} />} />
      <Fact
        label="Tenant"
        value={tenant === null ? '–' : <a href={`/workflows${query({ tenant })}`}>{tenant}</a>}
      />
    </dl>
  );
}

function Failure({ page: { error, failed } }: { page: WorkflowPage }): JSX.Element {
  return (
    <section class="card">
      <h2>{failed === null ? 'Refused' : 'Why it failed'}</h2>
      {failed !== null && (
        <p>
          <a href={`/tasks/${failed.task_id}`}>{failed.task}</a> <code>{failed.path || 'root'}</code>
        </p>
      )}
      <p class="error-title">
        {error?.type}: {error?.message}
      </p>
    </section>
  );
}

/** What the steps that could run now are waiting for. */
function Waits({ page: { waits } }: { page: WorkflowPage }): JSX.Element | null {
  if (waits.length === 0) return null;
  return (
    <section class="card">
      <h2>Where it is</h2>
      <ul class="plain">
        {waits.map(({ path, task, task_id: id, finding }) => (
          <li key={path}>
            <a href={`/tasks/${id}`}>{task}</a> <span class="faint mono">{path}</span>
            <span class="second">
              {finding.text}{' '}
              {finding.eta !== null && (
                <>
                  Expected until <Time at={finding.eta} />.
                </>
              )}
            </span>
            {finding.remedy !== null && <span class="faint second">{finding.remedy}</span>}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Controls({
  page,
  session,
  onChange,
}: {
  page: WorkflowPage;
  session: Session;
  onChange: () => void;
}): JSX.Element {
  const [asks, setAsks] = useState<'cancel' | 'replay'>();
  const [outcome, setOutcome] = useState<ReplayOutcome>();
  const failed = page.failed_steps.length;
  const close = (): void => setAsks(undefined);
  return (
    <div class="side-actions">
      <div class="buttons">
        <a class="button" href={`/tasks${query({ q: `workflow:${page.id}` })}`}>
          Show tasks
        </a>
        {failed > 0 && (
          <ActionButton
            refusal={refusalOf(session, 'failures:replay')}
            look="primary"
            onClick={() => setAsks('replay')}
          >
            {failed === 1 ? 'Replay the failed step' : `Replay ${count(failed)} failed steps`}
          </ActionButton>
        )}
        {(page.state === 'STARTED' || page.state === 'FAILURE') && (
          <ActionButton
            refusal={refusalOf(session, 'workflows:cancel')}
            look="danger"
            onClick={() => setAsks('cancel')}
          >
            Cancel
          </ActionButton>
        )}
      </div>
      {outcome !== undefined && (
        <ul class="plain" role="status">
          {outcome.replayed.length > 0 && <li>{count(outcome.replayed.length)} replayed.</li>}
          {outcome.conflicts.map(({ id, detail }) => (
            <li key={id}>
              <Icon name="alert" /> {detail}
            </li>
          ))}
        </ul>
      )}
      {asks === 'replay' && (
        <ConfirmDialog
          title={failed === 1 ? 'Replay the failed step?' : `Replay ${count(failed)} failed steps?`}
          text="Their dead letters go back to their queues with fresh retries. The workflow resumes where it failed; steps that have succeeded do not run again."
          action="Replay"
          onClose={close}
          onConfirm={async () => {
            setOutcome(await call<ReplayOutcome>('POST', `/api/workflows/${page.id}/replay`, {}));
            onChange();
          }}
        />
      )}
      {asks === 'cancel' && (
        <ConfirmDialog
          title="Cancel the workflow?"
          text="Waiting steps are removed, running ones are asked to stop, and no further ones start. A cancelled workflow is not resumed."
          action="Cancel the workflow"
          danger
          onClose={close}
          onConfirm={async () => {
            await call('POST', `/api/workflows/${page.id}/cancel`, {});
            onChange();
          }}
        />
      )}
    </div>
  );
}
