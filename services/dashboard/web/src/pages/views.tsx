/** Saved views: searches with a name, one press away. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { NewView, SavedView, Session } from '@stratum/dashboard/answers';
import { call, messageOf } from '../api.js';
import { ActionButton, Dialog, FormError, refusalOf, useLoaded } from '../ui.js';
import { isWhole, placeOf, rangeText, type Range } from './range.js';

export function Views({ q, range, session }: { q: string; range: Range; session: Session }): JSX.Element {
  const { value, reload } = useLoaded('views', () => call<{ items: SavedView[] }>('GET', '/api/views'));
  const [opened, setOpened] = useState<'save' | 'list'>();
  const close = (): void => setOpened(undefined);
  const views = value?.items ?? [];
  const here = placeOf(q, range);
  return (
    <nav class="chips views" aria-label="Saved views">
      {views.map((view) => (
        <a
          key={view.id}
          href={placeOfView(view)}
          aria-current={placeOfView(view) === here ? 'true' : undefined}
          title={view.own ? undefined : 'Shared by somebody else'}
        >
          {view.name}
        </a>
      ))}
      <button type="button" class="button quiet" onClick={() => setOpened('save')}>
        Save this view
      </button>
      {views.length > 0 && (
        <button type="button" class="button quiet" onClick={() => setOpened('list')}>
          Manage
        </button>
      )}
      {opened === 'save' && (
        <SaveDialog q={q} range={range} session={session} onSave={reload} onClose={close} />
      )}
      {opened === 'list' && <ListDialog views={views} session={session} onChange={reload} onClose={close} />}
    </nav>
  );
}

function rangeOf({ hours, from, to }: SavedView): Range {
  return {
    ...(hours === null ? {} : { hours }),
    ...(from === null ? {} : { from }),
    ...(to === null ? {} : { to }),
  };
}

function placeOfView(view: SavedView): string {
  return placeOf(view.q, rangeOf(view));
}

interface DialogProps {
  session: Session;
  onClose: () => void;
}

function SaveDialog({
  q,
  range,
  session,
  onSave,
  onClose,
}: DialogProps & { q: string; range: Range; onSave: () => void }): JSX.Element {
  const [name, setName] = useState('');
  const [shared, setShared] = useState(false);
  const [error, setError] = useState<string>();
  const refusal = refusalOf(session, 'views:share');
  const save = async (): Promise<void> => {
    const { hours = null, from = null, to = null } = range;
    const view: NewView = { name, q, hours, from, to, shared };
    await call('POST', '/api/views', view);
    onSave();
  };
  return (
    <Dialog title="Save this view" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save().then(onClose, (failure: unknown) => setError(messageOf(failure)));
        }}
      >
        <p>
          <code>{q === '' ? 'All tasks' : q}</code>
          {!isWhole(range) && ` · ${rangeText(range)}`}
        </p>
        <label>
          <span>Name</span>
          <input
            type="text"
            maxlength={60}
            required
            autocomplete="off"
            value={name}
            onInput={({ currentTarget }) => setName(currentTarget.value)}
          />
        </label>
        <label class="check" title={refusal}>
          <input
            type="checkbox"
            checked={shared}
            disabled={refusal !== undefined}
            onChange={({ currentTarget }) => setShared(currentTarget.checked)}
          />
          <span>
            {session.tenant === null
              ? 'Share it with the people of the platform'
              : 'Share it with the people of the tenant'}
          </span>
        </label>
        <FormError text={error} />
        <div class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="button primary" disabled={name.trim() === ''}>
            Save
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function ListDialog({
  views,
  session,
  onChange,
  onClose,
}: DialogProps & { views: readonly SavedView[]; onChange: () => void }): JSX.Element {
  const [error, setError] = useState<string>();
  const remove = ({ id }: SavedView): void => {
    call('DELETE', `/api/views/${id}`).then(onChange, (failure: unknown) => setError(messageOf(failure)));
  };
  return (
    <Dialog title="Saved views" onClose={onClose}>
      <ul class="view-list">
        {views.map((view) => (
          <li key={view.id}>
            <div>
              <b>{view.name}</b>{' '}
              {view.shared && <span class="faint">{view.own ? 'shared' : 'shared with you'}</span>}
              <span class="second faint">
                <code>{view.q === '' ? 'All tasks' : view.q}</code>
                {!isWhole(rangeOf(view)) && ` · ${rangeText(rangeOf(view))}`}
              </span>
            </div>
            <ActionButton
              refusal={view.own ? undefined : refusalOf(session, 'views:share')}
              onClick={() => remove(view)}
            >
              Remove
            </ActionButton>
          </li>
        ))}
      </ul>
      <FormError text={error} />
      <div class="dialog-actions">
        <button type="button" class="button" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
