import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call, query } from '../api.js';
import { count, duration } from '../format.js';
import type { EntryTicks, PastTick, ScheduleEntry, Session } from '@stratum/dashboard/answers';
import {
  ActionButton,
  Breakable,
  ConfirmDialog,
  Empty,
  Failed,
  Icon,
  Loading,
  refusalOf,
  Scroll,
  StateBadge,
  Time,
  useLoaded,
} from '../ui.js';
import { Lane, REASONS } from './lane.js';

/** The list shows a lane for the first entries. */
const MAX_LANES = 50;
const LIST_HOURS = 12;
const DETAIL_HOURS = 24;
const UPCOMING = 10;

interface EntryList {
  items: ScheduleEntry[];
  now: string;
}

export function Schedules({ session }: { session: Session }): JSX.Element {
  const { value, error, reload } = useLoaded('schedules', () => call<EntryList>('GET', '/api/schedules'));
  if (value === undefined) return error === undefined ? <Loading /> : <Failed error={error} retry={reload} />;
  return (
    <>
      <header class="page-head">
        <h1>
          Schedules <span class="faint">{count(value.items.length)}</span>
        </h1>
        <button type="button" class="button" onClick={reload}>
          Refresh
        </button>
      </header>
      {value.items.length === 0 ? (
        <Empty title="No entries">
          A scheduler adds the entries of the code when it starts. Add your own with{' '}
          <code>stratum schedules add</code>.
        </Empty>
      ) : (
        <EntryTable list={value} session={session} onChange={reload} />
      )}
    </>
  );
}

function EntryTable({
  list: { items, now },
  session,
  onChange,
}: {
  list: EntryList;
  session: Session;
  onChange: () => void;
}): JSX.Element {
  const names = items.slice(0, MAX_LANES).map(({ name }) => name);
  const { value: ticks } = useLoaded(`${now} ${names.join(' ')}`, () =>
    call<Record<string, EntryTicks>>('GET', `/api/schedules/ticks${query({ names: names.join(',') })}`),
  );
  const at = Date.parse(now);
  return (
    <Scroll label="Schedule entries">
      <table class="schedules">
        <thead>
          <tr>
            <th>Entry</th>
            <th>When</th>
            <th>Next</th>
            <th>Last run</th>
            <th>{LIST_HOURS} hours before and after now</th>
            <th class="number">Missed</th>
            <th class="actions">Actions</th>
          </tr>
        </thead>
        <tbody>
          {items.map((entry) => (
            <tr key={entry.name}>
              <th scope="row">
                <a href={`/schedules/${entry.name}`}>
                  <Breakable text={entry.name} />
                </a>
                <Warnings entry={entry} />
                {entry.task !== entry.name && (
                  <span class="faint second">
                    <Breakable text={entry.task} />
                  </span>
                )}
              </th>
              <td>
                <Cadence entry={entry} isCell />
              </td>
              <td>
                <Next entry={entry} now={at} isCell />
              </td>
              <td>
                <LastRun entry={entry} />
              </td>
              <td>
                {ticks?.[entry.name] !== undefined && (
                  <Lane entry={entry} ticks={ticks[entry.name] ?? NO_TICKS} now={at} hours={LIST_HOURS} />
                )}
              </td>
              <td class={entry.missed > 0 ? 'number bad' : 'number'}>{count(entry.missed)}</td>
              <td class="actions">
                <EntryControls entry={entry} session={session} onChange={onChange} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

const NO_TICKS: EntryTicks = { past: [], upcoming: [] };

function Warnings({ entry }: { entry: ScheduleEntry }): JSX.Element | null {
  if (entry.warnings.length === 0) return null;
  return (
    <span class="badge state-retry" title={entry.warnings.join('. ')}>
      <Icon name="alert" />
      Check
    </span>
  );
}

/** @param props.isCell in a table, the zone stands on a line of its own */
function Cadence({ entry, isCell = false }: { entry: ScheduleEntry; isCell?: boolean }): JSX.Element {
  return entry.cron === undefined ? (
    <>every {duration(entry.every_ms ?? null)}</>
  ) : (
    <>
      <code>{entry.cron}</code>{' '}
      <span class={isCell ? 'faint second' : 'faint'}>
        <Breakable text={entry.time_zone} />
      </span>
    </>
  );
}

/** A time that has passed is never shown as the next one. */
function Next({
  entry,
  now,
  isCell = false,
}: {
  entry: ScheduleEntry;
  now: number;
  isCell?: boolean;
}): JSX.Element {
  if (entry.paused !== null)
    return (
      <span class="badge state-retry" title={entry.paused.reason}>
        <Icon name="pause" />
        Paused
      </span>
    );
  const ahead = entry.next === null ? Number.NaN : Date.parse(entry.next) - now;
  if (Number.isNaN(ahead)) return <span class="bad">Never</span>;
  if (ahead < 0) return <span class="faint">Due now</span>;
  return (
    <>
      in {duration(ahead)}{' '}
      <span class={isCell ? 'faint second' : 'faint'}>
        <Time at={entry.next} />
      </span>
    </>
  );
}

function LastRun({ entry }: { entry: ScheduleEntry }): JSX.Element {
  const run = entry.last_run;
  if (run === null) return <span class="faint">None yet</span>;
  const { outcome } = run;
  return (
    <>
      {outcome === 'UNKNOWN' ? (
        <span class="badge">
          <Icon name="question" />
          Unknown
        </span>
      ) : (
        <StateBadge state={outcome === null || outcome === 'PENDING' ? 'QUEUED' : outcome} />
      )}{' '}
      <a href={`/tasks/${run.id}`}>
        <Time at={run.tick} />
      </a>
    </>
  );
}

function EntryControls({
  entry,
  session,
  onChange,
}: {
  entry: ScheduleEntry;
  session: Session;
  onChange: () => void;
}): JSX.Element {
  const [asks, setAsks] = useState<'run' | 'pause' | 'resume'>();
  const refusal = refusalOf(session, 'schedules:control');
  const verb = entry.paused === null ? 'pause' : 'resume';
  const post = async (path: string, body: object): Promise<void> => {
    await call('POST', `/api/schedules/${entry.name}/${path}`, body);
    onChange();
  };
  const close = (): void => setAsks(undefined);
  return (
    <div class="buttons">
      <ActionButton refusal={refusal} onClick={() => setAsks('run')}>
        Run now
      </ActionButton>
      <ActionButton refusal={refusal} onClick={() => setAsks(verb)}>
        {verb === 'pause' ? 'Pause' : 'Resume'}
      </ActionButton>
      {asks === 'run' && (
        <ConfirmDialog
          title={`Run ${entry.name} now?`}
          text="One run starts in addition to the schedule."
          action="Run now"
          onClose={close}
          onConfirm={() => post('run', {})}
        />
      )}
      {asks === 'pause' && (
        <ConfirmDialog
          title={`Pause ${entry.name}?`}
          text="Its ticks are suspended until it is resumed, and are not caught up then. A run that has started continues."
          field={{ label: 'Reason, for the audit trail (optional)' }}
          action="Pause"
          onClose={close}
          onConfirm={(reason) => post('pause', { reason })}
        />
      )}
      {asks === 'resume' && (
        <ConfirmDialog
          title={`Resume ${entry.name}?`}
          text={`It was paused: ${entry.paused?.reason ?? ''}. Its next tick comes as scheduled.`}
          action="Resume"
          onClose={close}
          onConfirm={() => post('resume', {})}
        />
      )}
    </div>
  );
}

interface EntryDetail extends EntryTicks {
  entry: ScheduleEntry;
  now: string;
}

export function SchedulePage({ name, session }: { name: string; session: Session }): JSX.Element {
  const { value, error, reload } = useLoaded(name, () => call<EntryDetail>('GET', `/api/schedules/${name}`));
  if (value === undefined) return error === undefined ? <Loading /> : <Failed error={error} retry={reload} />;
  const { entry, past, upcoming, now } = value;
  return (
    <>
      <nav class="crumbs" aria-label="Place">
        <a href="/schedules">Schedules</a> / {entry.name}
      </nav>
      <header class="page-head">
        <div>
          <h1>
            {entry.name} <Next entry={entry} now={Date.parse(now)} />
          </h1>
          <p class="faint">
            <Cadence entry={entry} /> ·{' '}
            <a href={`/tasks${query({ q: `task:${entry.task}` })}`}>{entry.task}</a> in{' '}
            <a href={`/queues/${entry.queue}`}>{entry.queue}</a>
          </p>
        </div>
        <EntryControls entry={entry} session={session} onChange={reload} />
      </header>
      {entry.warnings.map((warning) => (
        <p key={warning} class="banner">
          <Icon name="alert" />
          {warning}
        </p>
      ))}
      <section class="card">
        <h2>{DETAIL_HOURS} hours before and after now</h2>
        <Lane entry={entry} ticks={value} now={Date.parse(now)} hours={DETAIL_HOURS} />
        <p class="faint">
          Filled: runs. Hollow: expected. {entry.last_missed !== null && 'Hatched: missed.'}
        </p>
      </section>
      <div class="columns">
        <div>
          <section class="card">
            <h2>Next {UPCOMING}</h2>
            <Upcoming
              times={upcoming.slice(0, UPCOMING)}
              zone={entry.time_zone}
              paused={entry.paused !== null}
            />
          </section>
          <section class="card">
            <h2>Policy</h2>
            <Policy entry={entry} />
          </section>
        </div>
        <section>
          <h2>Runs of the last seven days</h2>
          {past.length === 0 ? <p class="note">None.</p> : <PastTable past={past} />}
        </section>
      </div>
    </>
  );
}

function Upcoming({
  times,
  zone,
  paused,
}: {
  times: readonly string[];
  zone: string;
  paused: boolean;
}): JSX.Element {
  if (paused) return <p class="faint">The entry is paused.</p>;
  if (times.length === 0) return <p class="faint">None.</p>;
  const inZone = new Intl.DateTimeFormat('en-GB', {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZone: zone,
    timeZoneName: 'short',
  });
  return (
    <ul class="plain nowrap">
      {times.map((at) => (
        <li key={at}>
          {inZone.format(new Date(at))}
          <span class="faint second">
            here: <Time at={at} />
          </span>
        </li>
      ))}
    </ul>
  );
}

function Policy({ entry }: { entry: ScheduleEntry }): JSX.Element {
  const rows: [string, string][] = [
    ['Defined in', entry.source === 'code' ? 'the code' : 'the schedule store'],
    ['Overlap', entry.overlap],
    ['Catch-up', entry.catch_up],
    ['On time for', duration(entry.starting_deadline_ms)],
    ['Jitter', entry.jitter_ms === 0 ? 'none' : `up to ${duration(entry.jitter_ms)}`],
    ['Ran', count(entry.fired)],
    [
      'Missed',
      entry.last_missed === null
        ? count(entry.missed)
        : `${count(entry.missed)}, last because ${REASONS[entry.last_missed.reason]}`,
    ],
  ];
  return (
    <dl>
      {rows.map(([label, value]) => (
        <>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </>
      ))}
    </dl>
  );
}

function PastTable({ past }: { past: readonly PastTick[] }): JSX.Element {
  return (
    <Scroll label="Runs">
      <table>
        <thead>
          <tr>
            <th>State</th>
            <th>Tick</th>
            <th class="number">Late by</th>
            <th class="number">Ran</th>
            <th>Task</th>
          </tr>
        </thead>
        <tbody>
          {past.map(({ id, tick, state, started_at: started, runtime_ms: runtime }) => (
            <tr key={id}>
              <td>
                <StateBadge state={state} />
              </td>
              <td class="nowrap">
                <Time at={tick} />
              </td>
              <td class="number">
                {duration(started === null ? null : Math.max(0, Date.parse(started) - Date.parse(tick)))}
              </td>
              <td class="number">{duration(runtime)}</td>
              <td>
                <a class="mono" href={`/tasks/${id}`}>
                  {id}
                </a>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
