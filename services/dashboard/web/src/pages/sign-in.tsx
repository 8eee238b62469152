import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call } from '../api.js';

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
  const submit = (event: Event): void => {
    event.preventDefault();
    setBusy(true);
    call('POST', '/api/session', { key: key.trim() }).then(onSignedIn, (failure: unknown) => {
      setBusy(false);
      setError(failure instanceof Error ? failure.message : String(failure));
    });
  };
  return (
    <main class="sign-in">
      <form onSubmit={submit}>
        <img src="/icon.svg" alt="" width="40" height="40" />
        <h1>Sign in to Stratum</h1>
        <p>
          On the machine it runs on, open the link of <code>stratum dashboard --link</code>. Anywhere else,
          use an API key.
        </p>
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
        {error !== undefined && (
          <p class="form-error" role="alert">
            {error}
          </p>
        )}
        <button type="submit" class="button primary" disabled={isBusy || key.trim() === ''}>
          Sign in
        </button>
        <p class="faint">
          Create a key with <code>stratum keys create</code>. The dashboard shows what the key may see.
        </p>
      </form>
    </main>
  );
}
