import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { SignInOffer, SignInRefusal } from '@stratum/dashboard/answers';
import { call, messageOf, query } from '../api.js';
import { withoutBase } from '../base-path.js';
import { FormError, useLoaded } from '../ui.js';

/** Why the provider of identities brought nobody in. */
const REFUSALS: Readonly<Record<SignInRefusal, string>> = {
  refused: 'The provider did not sign you in. Try again, or ask whoever administers your account there.',
  unreachable: 'The provider does not answer. Try again in a moment.',
  expired: 'The sign-in took longer than ten minutes, or began in another browser. Begin again.',
  invalid:
    'The answer of the provider could not be trusted. Begin again; the log of the dashboard has the reason.',
  unverified: 'The provider has not verified your e-mail address. Verify it there, then sign in again.',
  unknown: 'You have no place here yet. Ask an admin of Stratum to add your e-mail address under People.',
};

export function refusalText(code: string): string {
  return Object.entries(REFUSALS).find(([name]) => name === code)?.[1] ?? REFUSALS.invalid;
}

export function SignIn({
  message,
  onSignedIn,
}: {
  message: string | undefined;
  onSignedIn: () => void;
}): JSX.Element {
  const [key, setKey] = useState('');
  const [error, setError] = useState(message);
  const [isBusy, setBusy] = useState(false);
  const { value: offer } = useLoaded('sign-in', () => call<SignInOffer>('GET', '/api/sign-in'));
  const provider = offer?.provider ?? null;
  // Back to where the browser was.
  const place = window.location.pathname + window.location.search;
  const submit = (event: Event): void => {
    event.preventDefault();
    setBusy(true);
    call('POST', '/api/session', { key: key.trim() }).then(onSignedIn, (failure: unknown) => {
      setBusy(false);
      setError(messageOf(failure));
    });
  };
  return (
    <main class="sign-in">
      <form onSubmit={submit}>
        <img src="/icon.svg" alt="" width="40" height="40" />
        <h1>Sign in to Stratum</h1>
        <FormError text={error} />
        {provider !== null && (
          <>
            <a class="button primary" href={`/api/sign-in/start${query({ place: withoutBase(place) })}`}>
              Continue with {provider}
            </a>
            <p class="or">or</p>
          </>
        )}
        <label>
          <span>API key</span>
          <input
            name="key"
            type="password"
            autocomplete="current-password"
            placeholder="sk_…"
            value={key}
            onInput={(event) => setKey(event.currentTarget.value)}
          />
        </label>
        <button
          type="submit"
          class={provider === null ? 'button primary' : 'button'}
          disabled={isBusy || key.trim() === ''}
        >
          Sign in
        </button>
        <p class="faint">
          On the machine it runs on, <code>stratum dashboard --link</code> prints a link that signs in.{' '}
          <code>stratum keys create</code> makes a key; the dashboard shows what it may see.
        </p>
      </form>
    </main>
  );
}
