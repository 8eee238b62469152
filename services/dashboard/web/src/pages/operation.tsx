import type { OperationDetail, Session } from '@stratum/dashboard/answers';
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { call, messageOf, query } from '../api.js';
import { count, duration } from '../format.js';
import {
  ActionButton,
  ConfirmDialog,
  Fact,
  Failed,
  FormError,
  Icon,
  Loading,
  refusalOf,
  Scroll,
  Time,
  useLoaded,
} from '../ui.js';
import { OperationBadge, Progress, VERBS } from './operations.js';

const EVERY_MS = 1_000;
const TYPED_ABOVE = 100;

export function OperationPage({ id, session }: { id: string; session: Session }): JSX.Element {
  const { value, error, reload } = useLoaded(id, () => call<OperationDetail>('GET', `/api/operations/${id}`));
  useEffect(() => {
    if (value?.state !== 'running' && value?.state !== 'undoing') return undefined;
    const timer = setTimeout(reload, EVERY_MS);
    return () => clearTimeout(timer);
  }, [value]);
  if (value === undefined) return error === undefined ? <Loading /> : <Failed error={error} retry={reload} />;
  const { verb, state, counted } = value;
  const isDraft = state === 'draft';
  return (
    <>
      <nav class="crumbs" aria-label="Place">
        <a href="/operations">Operations</a> / {VERBS[verb].title}
      </nav>
      <header class="page-head">
        <div>
          <h1>
            {VERBS[verb].title} <OperationBadge state={state} />
          </h1>
          <p class="faint">
            <a class="mono" href={`/tasks${query({ q: value.query })}`}>
              {value.query}
            </a>
            , as of <Time at={value.as_of} />, by <span class="mono">{value.actor}</span>
          </p>
        </div>
        <Controls operation={value} session={session} onChange={reload} />
      </header>
      {!value.complete && (
        <p class="banner">
          <Icon name="alert" />
          This is not all that matches: an operation takes at most 10,000 tasks, 1,000 of them waiting, and
          waiting tasks are not found by labels, errors, workers or times. Look again when it has ended.
        </p>
      )}
      {isDraft ? (
        <p class="verdict-line state-started">
          <Icon name="search" />
          {counted === 0
            ? 'Nothing matches now.'
            : `${count(counted)} ${VERBS[verb].things} would be touched. Nothing has happened yet.`}
        </p>
      ) : (
        <dl class="stats">
          <Fact label="Progress" value={<Progress operation={value} />} />
          <Fact label="Done" value={count(value.done)} />
          <Fact label="Stayed" value={count(value.kept)} />
          <Fact label="Nothing left to do" value={count(value.gone)} />
          {value.restored > 0 && <Fact label="Put back" value={count(value.restored)} />}
          <Fact label="Rate" value={`${count(value.rate)}/s`} />
        </dl>
      )}
      <Waits operation={value} />
      {counted > 0 && (
        <div class="facts narrow-facts">
          <Groups title="By state" groups={value.by.was} />
          <Groups title="By task" groups={value.by.task} />
          <Groups title="By queue" groups={value.by.queue} />
          <Groups title="By tenant" groups={value.by.tenant} />
        </div>
      )}
      {value.items.length > 0 && <Items operation={value} />}
    </>
  );
}

/** Stopped before it begins, it has had no effect. */
function Waits({ operation: { state, begins_at: at } }: { operation: OperationDetail }): JSX.Element | null {
  const left = at === null ? 0 : Date.parse(at) - Date.now();
  if (state !== 'running' || left <= 0) return null;
  return (
    <p class="verdict-line state-scheduled" role="status">
      <Icon name="scheduled" />
      Begins in {duration(Math.ceil(left / 1_000) * 1_000)}. Stop it before, and nothing has happened.
    </p>
  );
}

function Groups({ title, groups }: { title: string; groups: OperationDetail['by']['was'] }): JSX.Element {
  return (
    <section class="card">
      <h2>{title}</h2>
      <dl>
        {groups.map(({ name, n }) => (
          <>
            <dt>{name === '0' && title === 'By tenant' ? 'the platform' : name.toLowerCase()}</dt>
            <dd class="number">{count(n)}</dd>
          </>
        ))}
      </dl>
    </section>
  );
}

function Items({ operation: { items, state } }: { operation: OperationDetail }): JSX.Element {
  return (
    <section>
      <header class="section-head">
        <h2>{state === 'draft' ? 'The first of them' : 'Stayed'}</h2>
      </header>
      <Scroll label="Tasks">
        <table class="runs">
          <thead>
            <tr>
              <th>Task</th>
              <th>Id</th>
              <th>Queue</th>
              <th class="number">Tenant</th>
              {state !== 'draft' && <th>Why</th>}
            </tr>
          </thead>
          <tbody>
            {items.map((item) => (
              <tr key={item.place}>
                <td>{item.task}</td>
                <td>
                  <a class="mono" href={`/tasks/${item.id}`}>
                    {item.id}
                  </a>
                </td>
                <td>{item.queue}</td>
                <td class="number">{item.tenant === '0' ? '–' : item.tenant}</td>
                {state !== 'draft' && <td class="outcome">{item.detail}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}

function Controls({
  operation: { id, verb, query: q, state, counted, rate, undo_until: undoUntil },
  session,
  onChange,
}: {
  operation: OperationDetail;
  session: Session;
  onChange: () => void;
}): JSX.Element {
  const [asks, setAsks] = useState(false);
  const isTyped = verb === 'discard' && counted > TYPED_ABOVE;
  const refusal = refusalOf(
    session,
    'operations:start',
    ...(verb === 'cancel' ? [] : (['failures:replay'] as const)),
    ...(isTyped ? (['operations:discard-many'] as const) : []),
  );
  const [error, setError] = useState<string>();
  const post = (path: string): void => {
    call('POST', `/api/operations/${id}/${path}`, {}).then(onChange, (failure: unknown) =>
      setError(messageOf(failure)),
    );
  };
  const button = (label: string, onClick: () => void, look?: 'primary' | 'danger'): JSX.Element => (
    <ActionButton refusal={refusal} {...(look && { look })} onClick={onClick}>
      {label}
    </ActionButton>
  );
  return (
    <div class="side-actions">
      <div class="buttons">
        {state === 'draft' && (
          <a class="button" href={`/operations/new${query({ verb, q })}`}>
            Change
          </a>
        )}
        {state === 'draft' && counted > 0 && button('Start', () => setAsks(true), 'primary')}
        {state === 'running' && button('Pause', () => post('pause'))}
        {state === 'paused' && button('Resume', () => post('resume'), 'primary')}
        {(state === 'running' || state === 'paused') && button('Stop', () => post('stop'), 'danger')}
        {undoUntil !== null && button('Undo', () => post('undo'))}
      </div>
      {undoUntil !== null && (
        <p class="faint">
          Until <Time at={undoUntil} />, the discarded letters can be put back.
        </p>
      )}
      <FormError text={error} />
      {asks && (
        <ConfirmDialog
          title={`${VERBS[verb].title}: ${count(counted)}?`}
          text={`${VERBS[verb].effect} It begins in ten seconds and can be paused and stopped at any time.`}
          {...(isTyped
            ? { typed: String(counted) }
            : { field: { label: 'At most so many a second', value: String(rate), type: 'number' as const } })}
          action="Start"
          danger={verb !== 'replay'}
          onClose={() => setAsks(false)}
          onConfirm={async (value) => {
            const body = isTyped ? { confirm: value } : { rate: Number(value) };
            await call('POST', `/api/operations/${id}/start`, body);
            onChange();
          }}
        />
      )}
    </div>
  );
}
