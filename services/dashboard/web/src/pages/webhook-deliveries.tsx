import type { DeliveryPage, DeliveryView, Session } from '@stratum/dashboard/answers';
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call, query } from '../api.js';
import { count, duration } from '../format.js';
import { usePlace } from '../router.js';
import {
  ActionButton,
  Badge,
  Chips,
  ConfirmDialog,
  ConfirmedButton,
  Failed,
  Loading,
  refusalOf,
  Scroll,
  Time,
  useLoaded,
} from '../ui.js';
import { WebhookStatus, type Direction } from './webhooks.js';

const STATES: Readonly<Record<Direction, readonly (readonly [label: string, state: string])[]>> = {
  in: [
    ['All', ''],
    ['Failed', 'failed'],
    ['Waiting', 'received'],
    ['Processed', 'processed'],
    ['Ignored', 'ignored'],
  ],
  out: [
    ['All', ''],
    ['Failed', 'failed'],
    ['Waiting', 'pending'],
    ['Delivered', 'delivered'],
    ['Skipped', 'skipped'],
  ],
};

export function WebhookDeliveries({
  direction,
  place,
  session,
}: {
  direction: Direction;
  /** `in/7/<id>` */
  place: string;
  session: Session;
}): JSX.Element {
  const at = usePlace().query;
  const state = at.get('state') ?? '';
  const before = at.get('before');
  const path = `/api/webhooks/${place}${query({ state, before })}`;
  const { value, error, reload } = useLoaded(path, () => call<DeliveryPage>('GET', path));
  if (value === undefined) return error === undefined ? <Loading /> : <Failed error={error} retry={reload} />;
  return (
    <>
      <nav class="crumbs" aria-label="Place">
        <a href="/webhooks">Webhooks</a> / {value.name}
      </nav>
      <header class="page-head">
        <div>
          <h1>
            {value.name} <WebhookStatus status={value.status} reason={null} />
          </h1>
          <p class="faint">
            {direction === 'in' ? `Receives events of ${value.kind}` : `Sends ${value.kind}`}
            {value.reason !== null && `. ${value.reason}`}
          </p>
        </div>
        <Controls direction={direction} place={place} page={value} session={session} onChange={reload} />
      </header>
      <Chips
        label="States"
        chips={STATES[direction].map(([label, each]) => ({
          label,
          href: `/webhooks/${place}${query({ state: each })}`,
          isCurrent: state === each,
        }))}
      />
      {value.items.length === 0 ? (
        <p class="note">No such event is kept. Deliveries are kept for 30 days.</p>
      ) : (
        <DeliveryTable items={value.items} place={place} session={session} onChange={reload} />
      )}
      {value.next !== null && (
        <footer class="more">
          <a class="button" href={`/webhooks/${place}${query({ state, before: value.next })}`}>
            Older
          </a>
        </footer>
      )}
    </>
  );
}

const LOOKS: Readonly<Record<DeliveryView['state'], readonly [icon: string, look: string, word: string]>> = {
  received: ['queued', 'started', 'Being processed'],
  processed: ['success', 'success', 'Processed'],
  ignored: ['revoked', 'queued', 'Ignored'],
  failed: ['failure', 'failure', 'Failed'],
  pending: ['scheduled', 'scheduled', 'Waiting'],
  delivered: ['success', 'success', 'Delivered'],
  skipped: ['revoked', 'queued', 'Skipped'],
};

function DeliveryTable({
  items,
  place,
  session,
  onChange,
}: {
  items: readonly DeliveryView[];
  place: string;
  session: Session;
  onChange: () => void;
}): JSX.Element {
  return (
    <Scroll label="Deliveries">
      <table class="runs">
        <thead>
          <tr>
            <th>State</th>
            <th>Event</th>
            <th>When</th>
            <th>Outcome</th>
            <th class="actions">Actions</th>
          </tr>
        </thead>
        <tbody>
          {items.map((each) => (
            <tr key={each.id}>
              <td>
                <Badge icon={LOOKS[each.state][0]} look={LOOKS[each.state][1]} word={LOOKS[each.state][2]} />
              </td>
              <td>
                {each.type}
                <span class="faint second mono">{each.id}</span>
              </td>
              <td>
                <Time at={each.at} />
                {each.next_attempt_at !== null && (
                  <span class="faint second">
                    next attempt <Time at={each.next_attempt_at} />
                  </span>
                )}
              </td>
              <td class="outcome">
                <Outcome delivery={each} />
              </td>
              <td class="actions">
                <RetryButton delivery={each} place={place} session={session} onChange={onChange} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Outcome({
  delivery: { outcome, tasks, attempts, replays, state },
}: {
  delivery: DeliveryView;
}): JSX.Element {
  const [last] = attempts;
  return (
    <>
      {outcome !== null && <span class={state === 'failed' ? 'bad' : undefined}>{outcome}</span>}
      {tasks.length > 0 && (
        <span class="second">
          {tasks.map(({ id, task }) => (
            <a key={id} href={`/tasks/${id}`}>
              {task}{' '}
            </a>
          ))}
        </span>
      )}
      {last !== undefined && (
        <details>
          <summary>
            {count(attempts.length)} {attempts.length === 1 ? 'attempt' : 'attempts'}
            {last.status_code !== null && `, last answer ${last.status_code}`} in {duration(last.duration_ms)}
          </summary>
          <ul class="plain">
            {attempts.map((each) => (
              <li key={each.attempt}>
                {each.attempt}. <Time at={each.at} />: {each.status_code ?? 'no answer'} in{' '}
                {duration(each.duration_ms)} {each.error !== null && <span class="faint">{each.error}</span>}
              </li>
            ))}
          </ul>
        </details>
      )}
      {replays > 0 && <span class="faint second">replayed {count(replays)} times</span>}
    </>
  );
}

function RetryButton({
  delivery,
  place,
  session,
  onChange,
}: {
  delivery: DeliveryView;
  place: string;
  session: Session;
  onChange: () => void;
}): JSX.Element {
  const isIn = place.startsWith('in/');
  return (
    <div class="buttons">
      <ConfirmedButton
        label={isIn ? 'Replay' : 'Send again'}
        title={isIn ? `Replay ${delivery.type}?` : `Send ${delivery.type} again?`}
        text={
          isIn
            ? 'The event is processed once more. Effects that are applied once for each event are not repeated; other tasks run again.'
            : 'The receiver gets the event with the same webhook-id, now and with a fresh set of attempts.'
        }
        refusal={refusalOf(session, 'webhooks:control')}
        onConfirm={async () => {
          await call('POST', `/api/webhooks/${place}/deliveries/${delivery.id}/replay`, {});
          onChange();
        }}
      />
    </div>
  );
}

function Controls({
  direction,
  place,
  page,
  session,
  onChange,
}: {
  direction: Direction;
  place: string;
  page: DeliveryPage;
  session: Session;
  onChange: () => void;
}): JSX.Element {
  const [asks, setAsks] = useState<'pause' | 'resume' | 'replay'>();
  const isActive = page.status === 'active';
  const texts = {
    pause:
      direction === 'in'
        ? 'The address answers 404. Senders try again for hours or days, and then give up.'
        : 'Waiting events are skipped. They can be sent when it is resumed.',
    resume:
      direction === 'in'
        ? 'The address takes events again.'
        : 'New events are sent again. What was missed is not.',
    replay: 'New events are sent again, and those that were missed since it failed or was paused.',
  };
  const button = (verb: 'pause' | 'resume' | 'replay', label: string): JSX.Element => (
    <ActionButton refusal={refusalOf(session, 'webhooks:control')} onClick={() => setAsks(verb)}>
      {label}
    </ActionButton>
  );
  return (
    <div class="buttons">
      {isActive && button('pause', 'Pause')}
      {!isActive && button('resume', 'Resume')}
      {!isActive && direction === 'out' && button('replay', 'Resume and send what was missed')}
      <button type="button" class="button" onClick={onChange}>
        Refresh
      </button>
      {asks !== undefined && (
        <ConfirmDialog
          title={asks === 'pause' ? `Pause ${page.name}?` : `Resume ${page.name}?`}
          text={texts[asks]}
          action={asks === 'pause' ? 'Pause' : 'Resume'}
          onClose={() => setAsks(undefined)}
          onConfirm={async () => {
            const body = asks === 'replay' ? { replay: true } : {};
            await call('POST', `/api/webhooks/${place}/${asks === 'pause' ? 'pause' : 'resume'}`, body);
            onChange();
          }}
        />
      )}
    </div>
  );
}
