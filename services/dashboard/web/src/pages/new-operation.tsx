/** What, on which tasks, and a dry run before anything happens. */
import type { Operation, OperationDetail, Session } from '@stratum/dashboard/answers';
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call, messageOf } from '../api.js';
import { navigate, usePlace } from '../router.js';
import { FormError, refusalOf } from '../ui.js';
import { VERBS } from './operations.js';

const ORDER = ['cancel', 'replay', 'discard'] as const satisfies readonly Operation['verb'][];

export function NewOperation({ session }: { session: Session }): JSX.Element {
  const place = usePlace().query;
  const [verb, setVerb] = useState(ORDER.find((each) => each === place.get('verb')) ?? 'cancel');
  const [q, setQ] = useState(place.get('q') ?? '');
  const [error, setError] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const refusal = refusalOf(session, 'operations:start');
  const look = (event: Event): void => {
    event.preventDefault();
    setBusy(true);
    call<OperationDetail>('POST', '/api/operations/dry-run', { verb, q }).then(
      ({ id }) => navigate(`/operations/${id}`),
      (failure: unknown) => {
        setBusy(false);
        setError(messageOf(failure));
      },
    );
  };
  return (
    <>
      <nav class="crumbs" aria-label="Place">
        <a href="/operations">Operations</a> / New
      </nav>
      <header class="page-head">
        <h1>New operation</h1>
      </header>
      <form class="card operation-form" onSubmit={look}>
        <fieldset>
          <legend>What</legend>
          {ORDER.map((each) => (
            <label key={each} class="choice">
              <input type="radio" name="verb" checked={verb === each} onChange={() => setVerb(each)} />
              <span>
                {VERBS[each].title}
                <span class="faint second">{VERBS[each].effect}</span>
              </span>
            </label>
          ))}
        </fieldset>
        <label>
          <span>On which tasks: {VERBS[verb].what.toLowerCase()}, and</span>
          <input
            type="search"
            class="mono"
            autocomplete="off"
            spellcheck={false}
            required
            placeholder="queue:sync task:sync_* tenant:7"
            value={q}
            onInput={({ currentTarget }) => setQ(currentTarget.value)}
          />
        </label>
        <FormError text={error} />
        <div class="buttons">
          <button
            type="submit"
            class="button primary"
            disabled={isBusy || refusal !== undefined}
            title={refusal}
          >
            Dry run
          </button>
          <span class="faint">Counts what matches now, and changes nothing.</span>
        </div>
      </form>
    </>
  );
}
