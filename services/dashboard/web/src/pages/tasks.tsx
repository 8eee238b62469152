import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { call, query } from '../api.js';
import { count } from '../format.js';
import { navigate, usePlace } from '../router.js';
import type { Session, Snapshot, TaskPage } from '@stratum/dashboard/answers';
import { Chips, Empty, Failed, Loading, Time, useLoaded } from '../ui.js';
import { Histogram } from './histogram.js';
import { RunTable, WaitingTable } from './run-table.js';
import { isWhole, placeOf, rangeIn, rangeText, requested, type Range } from './range.js';
import { SearchBar } from './task-search.js';
import { Views } from './views.js';

const QUICK: readonly (readonly [label: string, query: string])[] = [
  ['All', ''],
  ['Failed', 'state:failure'],
  ['Retrying', 'state:retry'],
  ['Running', 'state:started'],
  ['Waiting', 'state:queued'],
  ['Slow', 'slow:>10s'],
];
const SHOWN_WAITING = 20;

export function Tasks({
  snapshot,
  session,
}: {
  snapshot: Snapshot | undefined;
  session: Session;
}): JSX.Element {
  const place = usePlace();
  const q = place.query.get('q') ?? '';
  const range = rangeIn(place.query);
  const [seen, setSeen] = useState(0);
  const [turn, setTurn] = useState(0);
  const {
    value: page,
    error,
    reload,
  } = useLoaded(`${placeOf(q, range)} ${turn}`, () =>
    call<TaskPage>('GET', `/api/tasks${query({ q, ...requested(range) })}`),
  );
  const sequence = snapshot?.history.sequence ?? 0;
  // Counted from when the list was loaded, or from the first snapshot after that.
  useEffect(() => setSeen(sequence), [page, sequence > 0]);
  const fresh = seen === 0 ? 0 : Math.max(0, sequence - seen);
  return (
    <>
      <header class="page-head">
        <h1>Tasks</h1>
        <div class="buttons">
          {q !== '' && session.rights.includes('operations:start') && isWhole(range) && (
            <a class="button" href={`/operations/new${query({ q })}`}>
              Act on all of these
            </a>
          )}
          <button
            type="button"
            class={fresh > 0 ? 'button primary' : 'button'}
            onClick={() => setTurn((n) => n + 1)}
          >
            {fresh > 0 ? `${count(fresh)} new ${fresh === 1 ? 'event' : 'events'}` : 'Refresh'}
          </button>
        </div>
      </header>
      <SearchBar key={q} q={q} onSearch={(text) => navigate(placeOf(text, range))} />
      <div class="filters">
        <Chips
          label="Quick filters"
          chips={QUICK.map(([label, text]) => ({
            label,
            href: placeOf(text, range),
            isCurrent: q === text,
          }))}
        />
        <Views q={q} range={range} session={session} />
      </div>
      <Histogram q={q} range={range} turn={turn} />
      {error !== undefined && <Failed error={error} retry={reload} />}
      {page === undefined && error === undefined && <Loading />}
      {page !== undefined && <Results key={page.as_of} page={page} q={q} range={range} />}
    </>
  );
}

function Results({ page, q, range }: { page: TaskPage; q: string; range: Range }): JSX.Element {
  const [ended, setEnded] = useState(page.items);
  const [next, setNext] = useState(page.next);
  const [until, setUntil] = useState(page.searched_until);
  const [error, setError] = useState<Error>();
  const [isBusy, setBusy] = useState(false);
  const more = (): void => {
    if (next === null) return;
    const load = async (): Promise<void> => {
      const place = { q, ...requested(range), before: next.before, before_id: next.before_id };
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
    return !isWhole(range) ? (
      <Empty title="Nothing matches in this time">
        {rangeText(range)} was searched. <a href={placeOf(q, {})}>Search all that the history keeps</a>
      </Empty>
    ) : q === '' ? (
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
            <span class="faint">
              {isWhole(range) ? 'That is all the history keeps.' : 'That is all of this time.'}
            </span>
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
