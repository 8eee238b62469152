import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call, messageOf, query } from '../api.js';
import { count } from '../format.js';
import { navigate, usePlace } from '../router.js';
import type { FailureGroup, GroupReplay, Run, Session } from '@stratum/dashboard/answers';
import {
  ActionButton,
  Badge,
  Chips,
  ConfirmDialog,
  Empty,
  Fact,
  Failed,
  Icon,
  Loading,
  refusalOf,
  StateBadge,
  Time,
  useLoaded,
} from '../ui.js';

const RANGES: readonly (readonly [hours: number, label: string])[] = [
  [1, '1 hour'],
  [24, '24 hours'],
  [168, '7 days'],
];

const VIEWS = [
  ['open', 'Open'],
  ['resolved', 'Resolved'],
  ['ignored', 'Ignored'],
] as const;

/** What has come back is open. */
function viewOf(state: FailureGroup['state']): (typeof VIEWS)[number][0] {
  return state === 'returned' ? 'open' : state;
}

interface Groups {
  groups: FailureGroup[];
  since: string;
  as_of: string;
}

export function Failures({ session }: { session: Session }): JSX.Element {
  const { query: place } = usePlace();
  const hours = RANGES.find(([each]) => String(each) === place.get('hours'))?.[0] ?? 24;
  const shown = VIEWS.find(([view]) => view === place.get('state'))?.[0] ?? 'open';
  const { value, error, reload } = useLoaded(String(hours), () =>
    call<Groups>('GET', `/api/failures${query({ hours })}`),
  );
  const groups = (value?.groups ?? []).filter(({ state }) => viewOf(state) === shown);
  return (
    <>
      <header class="page-head">
        <h1>
          Failures {value !== undefined && <span class="faint">{count(value.groups.length)} causes</span>}
        </h1>
        <div class="segments" role="group" aria-label="Range">
          {RANGES.map(([each, label]) => (
            <button
              key={each}
              type="button"
              aria-pressed={each === hours}
              onClick={() => navigate(`/failures${query({ hours: each })}`, { replace: true })}
            >
              {label}
            </button>
          ))}
        </div>
      </header>
      {error !== undefined && value === undefined && <Failed error={error} retry={reload} />}
      {value === undefined && error === undefined && <Loading />}
      {value !== undefined && value.groups.length > 0 && (
        <Chips
          label="States"
          chips={VIEWS.map(([view, label]) => ({
            label: `${label} ${count(value.groups.filter(({ state }) => viewOf(state) === view).length)}`,
            href: `/failures${query({ hours, state: view === 'open' ? '' : view })}`,
            isCurrent: view === shown,
          }))}
        />
      )}
      {value?.groups.length === 0 && (
        <Empty title="Nothing failed for good">
          No task used up its retries since <Time at={value.since} />.
        </Empty>
      )}
      {groups.length === 0 && value !== undefined && value.groups.length > 0 && (
        <p class="note">
          {shown === 'open' ? 'Every cause is resolved or ignored.' : `No cause is ${shown}.`}
        </p>
      )}
      <ul class="groups">
        {groups.map((group) => (
          <GroupCard key={`${group.group} ${group.task}`} group={group} session={session} onChange={reload} />
        ))}
      </ul>
    </>
  );
}

function GroupCard({
  group,
  session,
  onChange,
}: {
  group: FailureGroup;
  session: Session;
  onChange: () => void;
}): JSX.Element {
  const [replay, setReplay] = useState<GroupReplay>();
  return (
    <li class="card group">
      <header>
        <div>
          <h2>
            {group.error_type}: {group.error_message}
          </h2>
          <p class="faint">
            {group.task} in {group.queue}
            {group.state === 'returned' && group.decided !== null && (
              <>
                {' '}
                <Badge icon="retry" look="retry" word="Returned" /> after it was resolved{' '}
                <Time at={group.decided.at} />
              </>
            )}
          </p>
        </div>
        <Hours hours={group.hours} />
      </header>
      <dl class="inline">
        <Fact label="Failures" value={count(group.failures)} />
        <Fact label="Tenants" value={count(group.tenants)} />
        <Fact label="Last worker" value={group.worker ?? '–'} />
        <Fact label="First" value={<Time at={group.first_at} />} />
        <Fact label="Last" value={<Time at={group.last_at} />} />
      </dl>
      <div class="buttons">
        <a class="button" href={`/tasks${query({ q: `group:${group.group} task:${group.task}` })}`}>
          Show runs
        </a>
        <StateButtons group={group} session={session} onChange={onChange} />
        <ReplayButtons
          group={group}
          session={session}
          onReplay={(outcome) => {
            setReplay(outcome);
            onChange();
          }}
        />
        {session.rights.includes('operations:start') && (
          <a
            class="button"
            href={`/operations/new${query({ verb: 'discard', q: `group:${group.group} task:${group.task}` })}`}
          >
            Discard …
          </a>
        )}
      </div>
      {replay !== undefined && <ReplayOutcome outcome={replay} />}
    </li>
  );
}

function StateButtons({
  group,
  session,
  onChange,
}: {
  group: FailureGroup;
  session: Session;
  onChange: () => void;
}): JSX.Element {
  const [error, setError] = useState<string>();
  const isOpen = viewOf(group.state) === 'open';
  const decide = (state: 'open' | 'resolved' | 'ignored'): void => {
    const { queue, task } = group;
    call('POST', `/api/failures/${group.group}/state`, { queue, task, state }).then(
      onChange,
      (failure: unknown) => setError(messageOf(failure)),
    );
  };
  const button = (state: 'open' | 'resolved' | 'ignored', label: string, meaning: string): JSX.Element => (
    <ActionButton
      refusal={refusalOf(session, 'failures:decide')}
      meaning={meaning}
      onClick={() => decide(state)}
    >
      {label}
    </ActionButton>
  );
  return (
    <>
      {isOpen && button('resolved', 'Resolve', 'It returns with the next failure')}
      {isOpen && button('ignored', 'Ignore', 'It stays away until it is opened again')}
      {!isOpen && button('open', 'Open again', 'It is listed among the open ones')}
      {error !== undefined && (
        <span class="form-error" role="alert">
          {error}
        </span>
      )}
    </>
  );
}

/** Whoever replays begins with one, sees what comes of it, and goes on. */
const STEPS: readonly (readonly [most: number, label: string])[] = [
  [1, 'Replay one'],
  [10, 'Replay ten'],
  [1_000, 'Replay all'],
];

function ReplayButtons({
  group,
  session,
  onReplay,
}: {
  group: FailureGroup;
  session: Session;
  onReplay: (outcome: GroupReplay) => void;
}): JSX.Element {
  const [asks, setAsks] = useState<(typeof STEPS)[number]>();
  return (
    <>
      {STEPS.filter(([most]) => most === 1 || most / 10 < group.failures).map((step) => (
        <ActionButton
          key={step[1]}
          refusal={refusalOf(session, 'failures:replay')}
          onClick={() => setAsks(step)}
        >
          {step[1]}
        </ActionButton>
      ))}
      {asks !== undefined && (
        <ConfirmDialog
          title={`${asks[1]}?`}
          text={
            asks[0] === 1
              ? 'The newest dead letter of this cause goes back to its queue with fresh retries.'
              : `Up to ${count(asks[0])} dead letters of this cause, the newest first, go back to their queue with fresh retries.`
          }
          action={asks[1]}
          onClose={() => setAsks(undefined)}
          onConfirm={async () =>
            onReplay(
              await call<GroupReplay>('POST', `/api/failures/${group.group}/replay`, { most: asks[0] }),
            )
          }
        />
      )}
    </>
  );
}

const SHOWN = 10;

function ReplayOutcome({ outcome: { replayed, conflicts, more } }: { outcome: GroupReplay }): JSX.Element {
  return (
    <div class="held" role="status">
      <p>
        {replayed.length === 0 ? 'No letter was replayed.' : `${count(replayed.length)} replayed.`}{' '}
        {conflicts.length > 0 && `${count(conflicts.length)} stay. `}
        {more && 'More may be left.'}
      </p>
      <ul class="plain">
        {replayed.slice(0, SHOWN).map((id) => (
          <ReplayedTask key={id} id={id} />
        ))}
        {conflicts.slice(0, SHOWN).map(({ id, detail }) => (
          <li key={id}>
            <Icon name="alert" /> <a href={`/tasks/${id}`}>{id}</a>: {detail}
          </li>
        ))}
      </ul>
    </div>
  );
}

function ReplayedTask({ id }: { id: string }): JSX.Element {
  const { value, reload } = useLoaded(id, () => call<{ runs: Run[] }>('GET', `/api/tasks/${id}`));
  const state = value?.runs[0]?.state;
  return (
    <li>
      {state !== undefined && <StateBadge state={state} />} <a href={`/tasks/${id}`}>{id}</a>{' '}
      <button type="button" class="button quiet" onClick={reload}>
        Look again
      </button>
    </li>
  );
}

const BAR_HEIGHT = 32;

/** Failures by hour. */
function Hours({ hours }: { hours: readonly number[] }): JSX.Element {
  const most = Math.max(1, ...hours);
  return (
    <svg
      class="hours"
      viewBox={`0 0 ${hours.length * 4} ${BAR_HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={`Failures by hour, at most ${most}`}
    >
      {hours.map((failures, index) => {
        const height = failures === 0 ? 1 : Math.max(3, (failures / most) * BAR_HEIGHT);
        return (
          <rect
            key={index}
            class={failures === 0 ? 'none' : undefined}
            x={index * 4}
            y={BAR_HEIGHT - height}
            width="3"
            height={height}
          />
        );
      })}
    </svg>
  );
}
