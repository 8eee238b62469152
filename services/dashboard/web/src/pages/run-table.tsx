/** Tables of tasks that wait, and of runs. */
import type { JSX } from 'preact';
import type { Run, RunState, WaitingTask } from '@stratum/dashboard/answers';
import { query } from '../api.js';
import { duration, shortId, since } from '../format.js';
import { Breakable, Scroll, StateBadge, Time } from '../ui.js';

function TaskHeads(): JSX.Element {
  return (
    <>
      <th>State</th>
      <th>Task</th>
      <th>Id</th>
      <th>Queue</th>
      <th class="number">Tenant</th>
    </>
  );
}

interface TaskCellsProps {
  task: Pick<Run, 'id' | 'task' | 'queue' | 'priority' | 'tenant_id'>;
  state: RunState;
  /** Of the last attempt. */
  error?: string | undefined;
}

function TaskCells({
  task: { id, task, queue, priority, tenant_id: tenant },
  state,
  error,
}: TaskCellsProps): JSX.Element {
  return (
    <>
      <td>
        <StateBadge state={state} />
      </td>
      <td class={error === undefined ? undefined : 'fluid'}>
        <a href={`/tasks${query({ q: `task:${task}` })}`}>
          <Breakable text={task} />
        </a>
        {error !== undefined && (
          <span class="second bad cut" title={error}>
            {error}
          </span>
        )}
      </td>
      <td>
        <a class="mono" href={`/tasks/${id}`} title={id}>
          {shortId(id)}
        </a>
      </td>
      <td>
        {queue} <span class="faint">{priority}</span>
      </td>
      <td class="number">{tenant === '0' ? '–' : tenant}</td>
    </>
  );
}

export function WaitingTable({ tasks, now }: { tasks: readonly WaitingTask[]; now: number }): JSX.Element {
  return (
    <Scroll label="Waiting tasks">
      <table>
        <thead>
          <tr>
            <TaskHeads />
            <th class="number">Waits</th>
          </tr>
        </thead>
        <tbody>
          {tasks.map((task) => (
            <tr key={task.id}>
              <TaskCells task={task} state="QUEUED" />
              <td class="number">{duration(since(task.stored_at, now))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

export function RunTable({ runs, now }: { runs: readonly Run[]; now: number }): JSX.Element {
  return (
    <Scroll label="Runs">
      <table class="runs">
        <thead>
          <tr>
            <TaskHeads />
            <th class="number">Attempts</th>
            <th class="number">Waited</th>
            <th class="number">Ran</th>
            <th>Worker</th>
            <th>When</th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <tr key={`${run.id} ${run.enqueued_at}`}>
              <TaskCells task={run} state={run.state} error={errorOf(run)} />
              <td class="number">{run.attempts_made === 0 ? '–' : run.attempts_made}</td>
              <td class="number">{duration(waitedMs(run))}</td>
              <td class="number">
                {duration(run.runtime_ms ?? (run.state === 'STARTED' ? since(run.started_at, now) : null))}
              </td>
              <td class="cut" title={run.worker ?? undefined}>
                {run.worker ?? '–'}
              </td>
              <td class="nowrap">
                <Time at={run.finished_at ?? run.changed_at} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function errorOf({ error_type: type, error_message: message }: Run): string | undefined {
  return type === null ? undefined : `${type}: ${message ?? ''}`;
}

function waitedMs({ wait_ms: waited, ready_at: ready, started_at: started }: Run): number | null {
  if (waited !== null || ready === null || started === null) return waited;
  return Math.max(0, Date.parse(started) - Date.parse(ready));
}
