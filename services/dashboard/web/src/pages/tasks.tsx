import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { call, query } from '../api.js';
import { count, duration, shortId, since } from '../format.js';
import { navigate, usePlace } from '../router.js';
import type {
  Run,
  RunState,
  Session,
  Snapshot,
  Suggestions,
  TaskPage,
  WaitingTask,
} from '@stratum/dashboard/answers';
import {
  Breakable,
  Chips,
  Empty,
  Failed,
  Icon,
  Loading,
  Scroll,
  StateBadge,
  Time,
  useLoaded,
} from '../ui.js';

const QUICK: readonly (readonly [label: string, query: string])[] = [
  ['All', ''],
  ['Failed', 'state:failure'],
  ['Retrying', 'state:retry'],
  ['Running', 'state:started'],
  ['Waiting', 'state:queued'],
  ['Slow', 'slow:>10s'],
];

function showTasks(q: string): void {
  navigate(`/tasks${query({ q })}`);
}

export function Tasks({
  snapshot,
  session,
}: {
  snapshot: Snapshot | undefined;
  session: Session;
}): JSX.Element {
  const place = usePlace();
  const q = place.query.get('q') ?? '';
  const [seen, setSeen] = useState(0);
  const {
    value: page,
    error,
    reload,
  } = useLoaded(q, () => call<TaskPage>('GET', `/api/tasks${query({ q })}`));
  const sequence = snapshot?.history.sequence ?? 0;
  // Counted from when the list was loaded, or from the first snapshot after that.
  useEffect(() => setSeen(sequence), [page, sequence > 0]);
  const fresh = seen === 0 ? 0 : Math.max(0, sequence - seen);
  return (
    <>
      <header class="page-head">
        <h1>Tasks</h1>
        <div class="buttons">
          {q !== '' && session.rights.includes('operations:start') && (
            <a class="button" href={`/operations/new${query({ q })}`}>
              Act on all of these
            </a>
          )}
          <button type="button" class={fresh > 0 ? 'button primary' : 'button'} onClick={reload}>
            {fresh > 0 ? `${count(fresh)} new ${fresh === 1 ? 'event' : 'events'}` : 'Refresh'}
          </button>
        </div>
      </header>
      <SearchBar key={q} q={q} onSearch={showTasks} />
      <Chips
        label="Quick filters"
        chips={QUICK.map(([label, text]) => ({
          label,
          href: `/tasks${query({ q: text })}`,
          isCurrent: q === text,
        }))}
      />
      {error !== undefined && <Failed error={error} retry={reload} />}
      {page === undefined && error === undefined && <Loading />}
      {page !== undefined && <Results key={page.as_of} page={page} q={q} />}
    </>
  );
}

function SearchBar({ q, onSearch }: { q: string; onSearch: (q: string) => void }): JSX.Element {
  const [text, setText] = useState(q);
  const [isOpen, setOpen] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const { value: known } = useLoaded('suggest', () => call<Suggestions>('GET', '/api/tasks/suggest'));
  const options = isOpen && known !== undefined ? completions(text, known) : [];
  const take = (completed: string): void => {
    setText(completed);
    input.current?.focus();
  };
  return (
    <form
      class="search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        setOpen(false);
        onSearch(text.trim());
      }}
    >
      <Icon name="search" />
      <input
        ref={input}
        id="search"
        type="search"
        aria-label="Search tasks"
        placeholder="state:failure queue:sync label.campaign:17 slow:>10s, a task or an id"
        value={text}
        autocomplete="off"
        spellcheck={false}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setOpen(true);
        }}
        onKeyDown={(event) => event.key === 'Escape' && setOpen(false)}
      />
      <button type="submit" class="button">
        Search
      </button>
      {options.length > 0 && (
        <ul class="completions" aria-label="Completions">
          {options.map(([completed, shown, meaning]) => (
            <li key={shown}>
              <button
                type="button"
                // The field keeps the focus, so that typing goes on.
                onMouseDown={(event) => event.preventDefault()}
                onClick={() => take(completed)}
              >
                <code>{shown}</code>
                <span class="faint">{meaning}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </form>
  );
}

const MAX_COMPLETIONS = 14;

/** What the last word may become: the whole text then, what is shown, and what it means. */
function completions(
  text: string,
  known: Suggestions,
): [completed: string, shown: string, meaning: string][] {
  const [, before = '', word = ''] = /^(.*?)(\S*)$/.exec(text) ?? [];
  const [key = '', value] = word.split(':');
  if (value === undefined)
    return Object.entries(known.keys)
      .filter(([name]) => name.startsWith(key))
      .map(([name, meaning]): [string, string, string] => [
        `${before}${name}${name === 'label' ? '.' : ':'}`,
        `${name}:`,
        meaning,
      ])
      .slice(0, MAX_COMPLETIONS);
  const values: Record<string, readonly string[]> = {
    state: known.states,
    queue: known.queues,
    task: known.tasks,
  };
  const [last = ''] = value.split(',').slice(-1);
  const kept = value.slice(0, value.length - last.length);
  return (values[key] ?? [])
    .filter((each) => each.startsWith(last) && each !== last)
    .map((each): [string, string, string] => [`${before}${key}:${kept}${each} `, each, ''])
    .slice(0, MAX_COMPLETIONS);
}

function Results({ page, q }: { page: TaskPage; q: string }): JSX.Element {
  const [ended, setEnded] = useState(page.items);
  const [next, setNext] = useState(page.next);
  const [until, setUntil] = useState(page.searched_until);
  const [error, setError] = useState<Error>();
  const [isBusy, setBusy] = useState(false);
  const more = (): void => {
    if (next === null) return;
    const load = async (): Promise<void> => {
      const place = { q, before: next.before, before_id: next.before_id };
      const following = await call<TaskPage>('GET', `/api/tasks${query(place)}`);
      setEnded((known) => [...known, ...following.items]);
      setNext(following.next);
      setUntil(following.searched_until);
    };
    setBusy(true);
    setError(undefined);
    load()
      .catch((failure: unknown) => setError(failure instanceof Error ? failure : new Error(String(failure))))
      .finally(() => setBusy(false));
  };
  const { waiting, open } = page;
  if (ended.length === 0 && open.length === 0 && waiting.items.length === 0 && next === null)
    return q === '' ? (
      <Empty title="No tasks yet">
        Enqueue one: <code>stratum call check_pipeline_health '{'{}'}'</code>
      </Empty>
    ) : (
      <Empty title="Nothing matches">
        Everything that the history keeps was searched. <a href="/tasks">Show all tasks</a>
      </Empty>
    );
  const now = Date.parse(page.as_of);
  return (
    <>
      {waiting.items.length > 0 && (
        <section>
          <header class="section-head">
            <h2>
              Waiting{' '}
              <span class="faint">
                {waiting.complete ? count(waiting.total) : `about ${count(waiting.total)}`}
              </span>
            </h2>
          </header>
          <WaitingTable tasks={waiting.items.slice(0, SHOWN_WAITING)} now={now} />
          {waiting.items.length > SHOWN_WAITING && (
            <p class="faint">The {SHOWN_WAITING} oldest are shown. Narrow the search to see others.</p>
          )}
        </section>
      )}
      {waiting.unsupported.length > 0 && (
        <p class="note">
          Waiting tasks are not searched: the broker does not know their labels, errors, workers or times.
        </p>
      )}
      {open.length > 0 && (
        <section>
          <header class="section-head">
            <h2>
              Not ended <span class="faint">{count(open.length)}</span>
            </h2>
          </header>
          <RunTable runs={open} now={now} />
        </section>
      )}
      <section>
        <header class="section-head">
          <h2>Ended</h2>
        </header>
        {ended.length === 0 ? (
          <p class="note">
            None of the runs that ended since <Time at={until} /> matches.
          </p>
        ) : (
          <RunTable runs={ended} now={now} />
        )}
        {error !== undefined && <Failed error={error} retry={more} />}
        <footer class="more">
          {next === null ? (
            <span class="faint">That is all the history keeps.</span>
          ) : (
            <>
              <span class="faint">
                Searched back to <Time at={until} />
              </span>
              <button type="button" class="button" disabled={isBusy} onClick={more}>
                Go on
              </button>
            </>
          )}
        </footer>
      </section>
    </>
  );
}

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

const SHOWN_WAITING = 20;

function WaitingTable({ tasks, now }: { tasks: readonly WaitingTask[]; now: number }): JSX.Element {
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

function RunTable({ runs, now }: { runs: readonly Run[]; now: number }): JSX.Element {
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
