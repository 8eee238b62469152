/** Who may sign in, and who is signed in. */
import type { DashboardUser, OpenSession, Role, Session } from '@stratum/dashboard/answers';
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call, messageOf } from '../api.js';
import {
  ActionButton,
  Badge,
  ConfirmedButton,
  Empty,
  Failed,
  FormError,
  Loading,
  refusalOf,
  Scroll,
  Time,
  useLoaded,
} from '../ui.js';

const ROLES: readonly (readonly [Role, meaning: string])[] = [
  ['viewer', 'Sees'],
  ['operator', 'Sees, and acts: retries, revokes, pauses'],
  ['admin', 'Everything: purges, limits, people'],
];

interface Sessions {
  items: OpenSession[];
  own: string;
}

export function People({ session, onSignedOut }: { session: Session; onSignedOut: () => void }): JSX.Element {
  const mayManage = session.rights.includes('people:manage');
  return (
    <>
      <header class="page-head">
        <h1>{mayManage ? 'People' : 'Sessions'}</h1>
      </header>
      {mayManage && <Users session={session} />}
      <SessionList mayManage={mayManage} onSignedOut={onSignedOut} />
    </>
  );
}

function Users({ session }: { session: Session }): JSX.Element {
  const { value, error, reload } = useLoaded('people', () =>
    call<{ items: DashboardUser[] }>('GET', '/api/people'),
  );
  if (value === undefined) return error === undefined ? <Loading /> : <Failed error={error} retry={reload} />;
  return (
    <section class="card">
      <h2>Who may sign in</h2>
      {value.items.length === 0 ? (
        <Empty title="Nobody has been added yet">
          Add the e-mail address by which the provider of identities knows a person.
        </Empty>
      ) : (
        <Scroll label="People">
          <table class="runs stacked">
            <thead>
              <tr>
                <th>E-mail</th>
                <th>Role</th>
                {session.tenant === null && <th>Of</th>}
                <th>Last sign-in</th>
                <th>
                  <span class="visually-hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {value.items.map((user) => (
                <UserRow key={user.id} user={user} session={session} onChange={reload} />
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      <AddForm session={session} onAdd={reload} />
    </section>
  );
}

function UserRow({
  user,
  session,
  onChange,
}: {
  user: DashboardUser;
  session: Session;
  onChange: () => void;
}): JSX.Element {
  const [error, setError] = useState<string>();
  const change = async (body: object): Promise<void> => {
    await call('POST', `/api/people/${user.id}`, body);
    onChange();
  };
  const isOwn = session.actor === `person/${user.id}`;
  const refusal = isOwn ? 'Nobody changes their own place' : undefined;
  return (
    <tr>
      <th scope="row">
        {user.email}
        {isOwn && <span class="faint second">you</span>}
      </th>
      <td data-label="Role">
        <select
          aria-label={`Role of ${user.email}`}
          value={user.role}
          disabled={isOwn || user.by_group}
          title={user.by_group ? 'A group of the provider sets it' : refusal}
          onChange={({ currentTarget }) => {
            change({ role: currentTarget.value }).catch((failure: unknown) => {
              currentTarget.value = user.role;
              setError(messageOf(failure));
            });
          }}
        >
          {ROLES.map(([role]) => (
            <option key={role} value={role}>
              {role}
            </option>
          ))}
        </select>
        <FormError text={error} />
      </td>
      {session.tenant === null && (
        <td data-label="Of">
          {user.tenant_id === null ? (
            'Platform'
          ) : (
            <a href={`/tenants/${user.tenant_id}`}>Tenant {user.tenant_id}</a>
          )}
        </td>
      )}
      <td data-label="Last sign-in">
        {user.disabled_at !== null ? (
          <Badge icon="revoked" look="revoked" word="Locked" />
        ) : user.last_sign_in_at === null ? (
          <span class="faint">Never yet</span>
        ) : (
          <Time at={user.last_sign_in_at} />
        )}
      </td>
      <td>
        <div class="buttons">
          {user.disabled_at === null ? (
            <ConfirmedButton
              label="Lock"
              title={`Lock ${user.email} out?`}
              text="All sessions of the person end at once, and nobody signs in with this address until it is unlocked."
              refusal={refusal}
              onConfirm={() => change({ disabled: true })}
            />
          ) : (
            <ConfirmedButton
              label="Unlock"
              title={`Let ${user.email} in again?`}
              text="The person may sign in again, with the role as before."
              refusal={refusal}
              onConfirm={() => change({ disabled: false })}
            />
          )}
        </div>
      </td>
    </tr>
  );
}

function AddForm({ session, onAdd }: { session: Session; onAdd: () => void }): JSX.Element {
  const [email, setEmail] = useState('');
  const [role, setRole] = useState<Role>('viewer');
  const [tenant, setTenant] = useState('');
  const [error, setError] = useState<string>();
  const add = (event: Event): void => {
    event.preventDefault();
    const owner = tenant.trim() === '' ? {} : { tenant: Number(tenant) };
    call('POST', '/api/people', { email: email.trim(), role, ...owner }).then(
      () => {
        setEmail('');
        setError(undefined);
        return onAdd();
      },
      (failure: unknown) => setError(messageOf(failure)),
    );
  };
  return (
    <form class="filters" onSubmit={add}>
      <label>
        <span>E-mail</span>
        <input
          type="email"
          autocomplete="off"
          required
          placeholder="ana@example.com"
          value={email}
          onInput={({ currentTarget }) => setEmail(currentTarget.value)}
        />
      </label>
      <label>
        <span>Role</span>
        <select
          value={role}
          title={ROLES.find(([name]) => name === role)?.[1]}
          onChange={({ currentTarget }) => {
            const chosen = ROLES.find(([name]) => name === currentTarget.value);
            if (chosen !== undefined) setRole(chosen[0]);
          }}
        >
          {ROLES.map(([name, meaning]) => (
            <option key={name} value={name}>
              {name}: {meaning.toLowerCase()}
            </option>
          ))}
        </select>
      </label>
      {session.tenant === null && (
        <label>
          <span>Tenant</span>
          <input
            type="number"
            min="1"
            placeholder="none: platform"
            value={tenant}
            onInput={({ currentTarget }) => setTenant(currentTarget.value)}
          />
        </label>
      )}
      <button
        type="submit"
        class="button primary"
        disabled={refusalOf(session, 'people:manage') !== undefined}
      >
        Add
      </button>
      <FormError text={error} />
    </form>
  );
}

function SessionList({
  mayManage,
  onSignedOut,
}: {
  mayManage: boolean;
  onSignedOut: () => void;
}): JSX.Element {
  const { value, error, reload } = useLoaded('sessions', () => call<Sessions>('GET', '/api/sessions'));
  if (value === undefined) return error === undefined ? <Loading /> : <Failed error={error} retry={reload} />;
  const end = (id: string): void => {
    call('DELETE', `/api/sessions/${id}`).then(id === value.own ? onSignedOut : reload, reload);
  };
  return (
    <section class="card">
      <h2>{mayManage ? 'Who is signed in' : 'Your sessions'}</h2>
      <Scroll label="Sessions">
        <table class="runs stacked">
          <thead>
            <tr>
              <th>Who</th>
              <th>Signed in</th>
              <th>Last seen</th>
              <th>From</th>
              <th>
                <span class="visually-hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {value.items.map((each) => (
              <tr key={each.id}>
                <th scope="row">
                  {each.email ?? (each.key_id === null ? 'Link' : `Key ${each.key_id}`)}
                  {each.id === value.own && <span class="faint second">this session</span>}
                </th>
                <td data-label="Signed in">
                  <Time at={each.created_at} />
                </td>
                <td data-label="Last seen">
                  <Time at={each.seen_at} />
                </td>
                <td data-label="From">
                  {each.address}
                  <span class="faint second agent" title={each.agent ?? undefined}>
                    {each.agent}
                  </span>
                </td>
                <td>
                  <div class="buttons">
                    <ActionButton refusal={undefined} onClick={() => end(each.id)}>
                      {each.id === value.own ? 'Sign out' : 'End'}
                    </ActionButton>
                  </div>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}
