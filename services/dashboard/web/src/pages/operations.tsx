import type { Operation, Session } from '@stratum/dashboard/answers';
import type { JSX } from 'preact';
import { call } from '../api.js';
import { count } from '../format.js';
import { Badge, Empty, Failed, Loading, Scroll, Time, useLoaded } from '../ui.js';
import { OperationPage } from './operation.js';
import { NewOperation } from './new-operation.js';

export function Operations({
  session,
  detail,
}: {
  session: Session;
  detail: string | undefined;
}): JSX.Element {
  if (detail === 'new') return <NewOperation session={session} />;
  return detail === undefined ? <List /> : <OperationPage key={detail} id={detail} session={session} />;
}

function List(): JSX.Element {
  const { value, error, reload } = useLoaded('operations', () =>
    call<{ items: Operation[] }>('GET', '/api/operations'),
  );
  if (value === undefined) return error === undefined ? <Loading /> : <Failed error={error} retry={reload} />;
  return (
    <>
      <header class="page-head">
        <h1>Operations</h1>
        <div class="buttons">
          <button type="button" class="button" onClick={reload}>
            Refresh
          </button>
          <a class="button primary" href="/operations/new">
            New operation
          </a>
        </div>
      </header>
      {value.items.length === 0 ? (
        <Empty title="No operations in seven days">
          An operation cancels, replays or discards everything that a search finds. Begin with a{' '}
          <a href="/operations/new">dry run</a>: it counts, and changes nothing.
        </Empty>
      ) : (
        <Scroll label="Operations">
          <table class="runs">
            <thead>
              <tr>
                <th>State</th>
                <th>Operation</th>
                <th>Progress</th>
                <th class="number">Done</th>
                <th class="number">Stayed</th>
                <th class="number">Nothing to do</th>
                <th>By</th>
                <th>As of</th>
              </tr>
            </thead>
            <tbody>
              {value.items.map((each) => (
                <tr key={each.id}>
                  <td>
                    <OperationBadge state={each.state} />
                  </td>
                  <th scope="row">
                    <a href={`/operations/${each.id}`}>{VERBS[each.verb].title}</a>
                    <span class="faint second mono kind" title={each.query}>
                      {each.query}
                    </span>
                  </th>
                  <td>
                    <Progress operation={each} />
                  </td>
                  <td class="number">{count(each.done)}</td>
                  <td class={each.kept > 0 ? 'number bad' : 'number faint'}>{count(each.kept)}</td>
                  <td class="number faint">{count(each.gone)}</td>
                  <td class="mono">{each.actor}</td>
                  <td>
                    <Time at={each.as_of} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </>
  );
}

export const VERBS: Readonly<
  Record<Operation['verb'], { title: string; what: string; things: string; effect: string }>
> = {
  cancel: {
    title: 'Cancel tasks',
    what: 'Tasks that wait, run or will be retried',
    things: 'tasks',
    effect:
      'Waiting tasks are removed, running ones are asked to stop. That cannot be undone: only within ten seconds can it still be stopped.',
  },
  replay: {
    title: 'Replay dead letters',
    what: 'Tasks that failed for good',
    things: 'dead letters',
    effect:
      'Each goes back to its queue with fresh retries. Letters that cannot be replayed stay. A replay cannot be taken back; what waits then can be cancelled.',
  },
  discard: {
    title: 'Discard dead letters',
    what: 'Tasks that failed for good',
    things: 'dead letters',
    effect: 'The letters can be put back for a day. Then they are gone; the history keeps the runs.',
  },
};

const STATES: Readonly<Record<Operation['state'], readonly [icon: string, look: string, word: string]>> = {
  draft: ['question', 'queued', 'Dry run'],
  running: ['started', 'started', 'Running'],
  paused: ['pause', 'retry', 'Paused'],
  stopped: ['revoked', 'queued', 'Stopped'],
  ended: ['success', 'success', 'Ended'],
  undoing: ['started', 'started', 'Undoing'],
  undone: ['revoked', 'queued', 'Undone'],
};

export function OperationBadge({ state }: { state: Operation['state'] }): JSX.Element {
  const [icon, look, word] = STATES[state];
  return <Badge icon={icon} look={look} word={word} />;
}

export function Progress({ operation }: { operation: Operation }): JSX.Element {
  const { counted, done, kept, gone, restored } = operation;
  const handled = done + kept + gone + restored;
  return (
    <span class="slots">
      <meter class="wide" min={0} max={Math.max(1, counted)} value={handled} aria-label="Progress" />
      {count(handled)} of {count(counted)}
    </span>
  );
}
