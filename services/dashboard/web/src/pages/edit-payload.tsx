/** The payload of a failed task: edited, compared with what it was, and replayed. */
import type { CheckedPayload, DifferenceLine, EditableLetter, Session } from '@stratum/dashboard/answers';
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ApiError, call, messageOf } from '../api.js';
import { navigate } from '../router.js';
import { Badge, Failed, Loading, Pre, refusalOf, Time, useLoaded } from '../ui.js';
import { SchemaFields } from './schema-fields.js';

export function EditPayload({ id, session }: { id: string; session: Session }): JSX.Element {
  const { value, error, reload } = useLoaded(id, () =>
    call<EditableLetter>('GET', `/api/dead-letters/${id}`),
  );
  return (
    <>
      <nav class="crumbs" aria-label="Place">
        <a href="/tasks">Tasks</a> / <a href={`/tasks/${id}`}>{value?.task ?? id}</a> / Edit
      </nav>
      <header class="page-head">
        <div>
          <h1>Edit and replay</h1>
          <p class="mono id">{id}</p>
        </div>
      </header>
      {error !== undefined && value === undefined && <Failed error={error} retry={reload} />}
      {value === undefined && error === undefined && <Loading />}
      {value !== undefined && <Editor letter={value} session={session} onReload={reload} />}
    </>
  );
}

/** The text that was compared, and what came of it. */
interface Review {
  text: string;
  checked?: CheckedPayload;
  error?: string;
  /** The task has a newer letter. */
  isOutdated?: boolean;
}

function Editor({
  letter,
  session,
  onReload,
}: {
  letter: EditableLetter;
  session: Session;
  onReload: () => void;
}): JSX.Element {
  const original = JSON.stringify(letter.payload ?? {}, undefined, 2);
  const [text, setText] = useState(original);
  const [review, setReview] = useState<Review>();
  const [isBusy, setBusy] = useState(false);
  const current = review?.text === text ? review : undefined;
  const canReplay =
    current?.checked?.problems.length === 0 &&
    current.checked.difference.some(({ change }) => change !== 'same');
  const send = (path: string, fields: string, then: (checked: CheckedPayload) => void): void => {
    setBusy(true);
    // The text itself, because a number may have more digits than one of this page can hold.
    call<CheckedPayload>('POST', `/api/dead-letters/${letter.id}/${path}`, `{"payload":${text}${fields}}`)
      .then(then, (failure: unknown) =>
        setReview({
          text,
          error: messageOf(failure),
          isOutdated: failure instanceof ApiError && failure.status === 409,
        }),
      )
      .finally(() => setBusy(false));
  };
  const compare = (): void => {
    const problem = problemOf(text);
    if (problem !== undefined) setReview({ text, error: problem });
    else send('check', '', (checked) => setReview({ text, checked }));
  };
  const replay = (): void =>
    send('replay', `,"sequence":${letter.sequence}`, () => navigate(`/tasks/${letter.id}`));
  return (
    <div class="editing">
      <form
        class="card editor"
        onSubmit={(event) => {
          event.preventDefault();
          if (canReplay) replay();
          else compare();
        }}
      >
        <label>
          <span>Payload</span>
          <textarea
            class="mono"
            rows={Math.min(28, Math.max(10, text.split('\n').length + 1))}
            spellcheck={false}
            autocomplete="off"
            aria-describedby="payload-note"
            value={text}
            onInput={({ currentTarget }) => setText(currentTarget.value)}
          />
        </label>
        <p id="payload-note" class="faint">
          {letter.payload === null
            ? 'The letter holds no payload that could be edited: write a whole one.'
            : 'Values such as ***1 are hidden. They stay as they are unless you replace them.'}
        </p>
        {current !== undefined && <Outcome review={current} onReload={onReload} />}
        <div class="buttons">
          <button
            type="submit"
            class="button primary"
            disabled={isBusy || refusalOf(session, 'failures:edit') !== undefined}
            title={refusalOf(session, 'failures:edit')}
          >
            {canReplay ? 'Replay with this payload' : 'Compare'}
          </button>
          <button
            type="button"
            class="button"
            disabled={text === original}
            onClick={() => {
              setText(original);
              setReview(undefined);
            }}
          >
            Undo all
          </button>
        </div>
      </form>
      <div>
        <section class="card">
          <h2>Why it failed</h2>
          <p class="error-title">{letter.error}</p>
          <p class="faint">
            {letter.attempts === 1 ? 'One attempt, at' : `${letter.attempts} attempts, the last at`}{' '}
            <Time at={letter.at} />
          </p>
        </section>
        <section class="card">
          <h2>Fields of {letter.task}</h2>
          {letter.schema === null ? (
            <p class="faint">This dashboard knows no schema of the task. Its worker checks the payload.</p>
          ) : (
            <SchemaFields schema={letter.schema} />
          )}
        </section>
      </div>
    </div>
  );
}

/** Why it cannot be sent; `undefined`: it can. */
function problemOf(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? undefined : 'The payload must be an object: { … }.';
  } catch (error) {
    return `This is not JSON: ${messageOf(error)}`;
  }
}

function Outcome({ review, onReload }: { review: Review; onReload: () => void }): JSX.Element {
  const { checked, error, isOutdated } = review;
  if (checked === undefined)
    return (
      <div role="alert">
        <p class="form-error">{error}</p>
        {isOutdated === true && (
          <button type="button" class="button" onClick={onReload}>
            Load the letter again
          </button>
        )}
      </div>
    );
  const { problems, difference } = checked;
  const changes = difference.filter(({ change }) => change !== 'same').length;
  return (
    <div class="review" role="status">
      {problems.length > 0 ? (
        <div class="form-error">
          <p>The task would refuse this payload:</p>
          <ul class="plain">
            {problems.map((problem) => (
              <li key={problem}>{problem}</li>
            ))}
          </ul>
        </div>
      ) : (
        <p>
          {changes === 0 ? (
            'Nothing differs from the letter.'
          ) : (
            <Badge icon="success" look="success" word="Fits the task's schema" />
          )}
        </p>
      )}
      {changes > 0 && <Difference lines={difference} />}
    </div>
  );
}

const SIGNS = { same: ' ', removed: '−', added: '+' } as const;
const WORDS = { same: '', removed: 'Removed: ', added: 'Added: ' } as const;

function Difference({ lines }: { lines: readonly DifferenceLine[] }): JSX.Element {
  return (
    <Pre>
      {lines.map(({ change, text }, index) => (
        <span key={index} class={`difference ${change}`}>
          <span aria-hidden="true">{SIGNS[change]} </span>
          <span class="visually-hidden">{WORDS[change]}</span>
          {text}
        </span>
      ))}
    </Pre>
  );
}
