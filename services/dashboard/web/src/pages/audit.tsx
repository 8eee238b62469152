import type { AuditPage } from '@stratum/dashboard/answers';
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call, query } from '../api.js';
import { navigate, usePlace } from '../router.js';
import { Empty, Failed, Loading, Pre, Scroll, Time, useLoaded } from '../ui.js';

const FILTERS = [
  ['actor', 'Actor', 'key/…'],
  ['action', 'Action', 'queue.*'],
  ['subject', 'Subject', 'queue/sync'],
] as const;

export function Audit(): JSX.Element {
  const { query: place } = usePlace();
  const filter = Object.fromEntries(FILTERS.map(([name]) => [name, place.get(name) ?? '']));
  const before = place.get('before');
  const path = `/api/audit${query({ ...filter, before })}`;
  const { value, error, reload } = useLoaded(path, () => call<AuditPage>('GET', path));
  return (
    <>
      <header class="page-head">
        <h1>Audit</h1>
      </header>
      <FilterForm key={JSON.stringify(filter)} filter={filter} />
      {error !== undefined && <Failed error={error} retry={reload} />}
      {value === undefined && error === undefined && <Loading />}
      {value?.items.length === 0 && (
        <Empty title="No events">
          Changes by the API, the command and this dashboard arrive within a minute.
        </Empty>
      )}
      {value !== undefined && value.items.length > 0 && (
        <>
          <EventTable events={value.items} />
          <footer class="more">
            {value.next === null ? (
              <span class="faint">These are the first events.</span>
            ) : (
              <a class="button" href={`/audit${query({ ...filter, before: value.next })}`}>
                Older
              </a>
            )}
          </footer>
        </>
      )}
    </>
  );
}

function FilterForm({ filter }: { filter: Record<string, string> }): JSX.Element {
  const [values, setValues] = useState(filter);
  return (
    <form
      class="filters"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        navigate(`/audit${query(values)}`);
      }}
    >
      {FILTERS.map(([name, label, example]) => (
        <label key={name}>
          <span>{label}</span>
          <input
            type="text"
            autocomplete="off"
            placeholder={example}
            value={values[name]}
            onInput={({ currentTarget }) => setValues({ ...values, [name]: currentTarget.value.trim() })}
          />
        </label>
      ))}
      <button type="submit" class="button">
        Search
      </button>
    </form>
  );
}

type AuditEvent = AuditPage['items'][number];

function EventTable({ events }: { events: readonly AuditEvent[] }): JSX.Element {
  return (
    <Scroll label="Audit events">
      <table class="runs">
        <thead>
          <tr>
            <th class="number">#</th>
            <th>When</th>
            <th>Actor</th>
            <th>Action</th>
            <th>Subject</th>
            <th>Details</th>
          </tr>
        </thead>
        <tbody>
          {events.map((event) => (
            <tr key={event.id}>
              <td class="number">{event.sequence}</td>
              <td>
                <Time at={event.occurred_at} />
              </td>
              <td>
                <a href={`/audit${query({ actor: event.actor })}`}>{event.actor}</a>
              </td>
              <td>
                <a href={`/audit${query({ action: event.action })}`}>{event.action}</a>
              </td>
              <td>
                <a href={`/audit${query({ subject: event.subject })}`}>{event.subject}</a>
              </td>
              <td>
                <Details details={event.details} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Details({ details }: { details: Record<string, unknown> }): JSX.Element {
  const fields = Object.keys(details);
  if (fields.length === 0) return <span class="faint">–</span>;
  return (
    <details>
      <summary>{fields.join(', ')}</summary>
      <Pre>{JSON.stringify(details, undefined, 2)}</Pre>
    </details>
  );
}
