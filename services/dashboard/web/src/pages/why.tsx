/** Why the task is not running: what blocks it first, what else is in its way, and what helps. */
import type { JSX } from 'preact';
import { call } from '../api.js';
import type { Finding } from '@stratum/dashboard/answers';
import { Icon, Time, useLoaded } from '../ui.js';

const REFRESH_MS = 5_000;

export function Why({ id }: { id: string }): JSX.Element | null {
  const { value, error } = useLoaded(`${id} ${Math.floor(Date.now() / REFRESH_MS)}`, () =>
    call<{ findings: Finding[] }>('GET', `/api/tasks/${id}/why`),
  );
  if (error !== undefined) return <p class="note">Why it waits cannot be said now: {error.message}</p>;
  const [first, ...others] = value?.findings ?? [];
  if (first === undefined) return null;
  return (
    <section class="card why" aria-label="Why it is not running">
      <Icon name="question" />
      <div>
        <h2>{first.text}</h2>
        <Details finding={first} />
        {others.length > 0 && (
          <ul class="plain">
            {others.map((finding) => (
              <li key={finding.code}>
                {finding.text} <Details finding={finding} />
              </li>
            ))}
          </ul>
        )}
      </div>
    </section>
  );
}

function Details({ finding: { remedy, eta } }: { finding: Finding }): JSX.Element {
  return (
    <p class="faint">
      {remedy}{' '}
      {eta !== null && (
        <>
          Expected: <Time at={eta} />.
        </>
      )}
    </p>
  );
}
