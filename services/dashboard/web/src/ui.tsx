/** Parts that every page is made of. */
import { Fragment, type ComponentChildren, type JSX, type RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { ApiError, messageOf } from './api.js';
import { clock, exact } from './format.js';
import type { NodeState, RightName, RunState, Session, Worker } from '@stratum/dashboard/answers';

/** Shapes differ as well as colours: a state is never told by colour alone. */
const PATHS: Readonly<Record<string, string>> = {
  success: 'M3.5 8.5l3 3 6-7',
  failure: 'M4.5 4.5l7 7m0-7l-7 7',
  retry: 'M12.5 6.5A5 5 0 1 0 13 9M12.8 3v3.6H9.2',
  started: 'M5.5 3.8v8.4L12.2 8z',
  scheduled: 'M8 4.5V8l2.5 1.5M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11z',
  queued: 'M3.5 4.5h9m-9 3.5h9m-9 3.5h9',
  revoked: 'M4.2 4.2l7.6 7.6M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11z',
  expired: 'M4.5 2.5h7m-7 11h7M5 2.5c0 3 3 4 3 5.5s-3 2.5-3 5.5m6-11c0 3-3 4-3 5.5s3 2.5 3 5.5',
  waiting: 'M8 3.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9z',
  alert: 'M8 5.5v3.2M8 11v.4M8 2.2L14 13H2z',
  question:
    'M6.3 6.2a1.8 1.8 0 1 1 2.5 1.7c-.6.3-.8.6-.8 1.2M8 11.3v.3M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2z',
  pause: 'M6 4v8m4-8v8',
  copy: 'M6 6h6.5v6.5H6zM3.5 10V3.5H10',
  search: 'M7 3a4 4 0 1 0 0 8 4 4 0 0 0 0-8zm3 7l3 3',
};

export function Icon({ name }: { name: string }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name] ?? ''} />
    </svg>
  );
}

/** Of runs, and of steps of workflows. */
type AnyState = RunState | NodeState;

const STATE_WORDS: Readonly<Record<AnyState, string>> = {
  SUCCESS: 'Succeeded',
  FAILURE: 'Failed',
  RETRY: 'Will retry',
  STARTED: 'Running',
  SCHEDULED: 'Delayed',
  QUEUED: 'Waiting',
  REVOKED: 'Revoked',
  EXPIRED: 'Expired',
  PENDING: 'Waiting',
  WAITING: 'Not begun',
};

export function stateWord(state: string): string {
  return Object.entries(STATE_WORDS).find(([name]) => name === state)?.[1] ?? state;
}

export function stateIcon(state: AnyState): string {
  return state === 'PENDING' ? 'queued' : state.toLowerCase();
}

export function Badge({ icon, look, word }: { icon: string; look: string; word: string }): JSX.Element {
  return (
    <span class={`badge state-${look}`}>
      <Icon name={icon} />
      {word}
    </span>
  );
}

/** @param props.word instead of the usual one */
export function StateBadge({ state, word }: { state: AnyState; word?: string | undefined }): JSX.Element {
  return <Badge icon={stateIcon(state)} look={state.toLowerCase()} word={word ?? STATE_WORDS[state]} />;
}

const CONDITIONS: Readonly<Record<Worker['condition'], [icon: string, look: string, word: string]>> = {
  ready: ['success', 'success', 'Ready'],
  busy: ['started', 'started', 'Busy'],
  draining: ['scheduled', 'scheduled', 'Draining'],
  blocked: ['alert', 'retry', 'Blocked'],
  unreachable: ['failure', 'failure', 'Unreachable'],
};

export function ConditionBadge({ condition }: { condition: Worker['condition'] }): JSX.Element {
  const [icon, look, word] = CONDITIONS[condition];
  return <Badge icon={icon} look={look} word={word} />;
}

export function Time({ at }: { at: string | null }): JSX.Element {
  return at === null ? (
    <span class="faint">–</span>
  ) : (
    <time dateTime={at} title={exact(at)}>
      {clock(at)}
    </time>
  );
}

/** A table in a box of its own. Where the screen is too narrow for it, the box is scrolled, by the keyboard as well, and says so. */
export function Scroll({ label, children }: { label: string; children: ComponentChildren }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const goesOn = useOverflow(box);
  return (
    <div class={goesOn ? 'scroll-frame goes-on' : 'scroll-frame'}>
      <div class="scroll" role="region" aria-label={label} tabindex={0} ref={box}>
        {children}
      </div>
      {goesOn && (
        <p class="scroll-hint">
          More to the right <span aria-hidden="true">→</span>
        </p>
      )}
    </div>
  );
}

/** Whether the box has more to the right than what it shows now. */
function useOverflow(box: RefObject<HTMLElement | null>): boolean {
  const [goesOn, setGoesOn] = useState(false);
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const look = (): void =>
      setGoesOn(element.scrollLeft + element.clientWidth < element.scrollWidth - NEARLY_PX);
    const observer = new ResizeObserver(look);
    observer.observe(element);
    // The rows of a table change without a change of the box.
    for (const child of element.children) observer.observe(child);
    element.addEventListener('scroll', look, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', look);
    };
  }, [box]);
  return goesOn;
}

/** Parts of pixels count for nothing. */
const NEARLY_PX = 2;

/** A name that is broken where its parts meet. */
export function Breakable({ text }: { text: string }): JSX.Element {
  return (
    <>
      {text.split(/(?<=[_/])/).map((part, index) => (
        <Fragment key={index}>
          {index > 0 && <wbr />}
          {part}
        </Fragment>
      ))}
    </>
  );
}

/** Filters that are one press away. */
export function Chips({
  label,
  chips,
}: {
  label: string;
  chips: readonly { label: string; href: string; isCurrent: boolean }[];
}): JSX.Element {
  return (
    <nav class="chips" aria-label={label}>
      {chips.map(({ label: text, href, isCurrent }) => (
        <a key={text} href={href} aria-current={isCurrent ? 'true' : undefined}>
          {text}
        </a>
      ))}
    </nav>
  );
}

/** A line of a list of facts. */
export function Fact({ label, value }: { label: string; value: ComponentChildren }): JSX.Element {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}

export function Pre({ children }: { children: ComponentChildren }): JSX.Element {
  return <pre tabindex={0}>{children}</pre>;
}

/** @param props.isPage it stands for a whole page */
export function Empty({
  title,
  isPage = false,
  children,
}: {
  title: string;
  isPage?: boolean;
  children?: ComponentChildren;
}): JSX.Element {
  return (
    <div class="empty">
      {isPage ? <h1>{title}</h1> : <h2>{title}</h2>}
      <p>{children}</p>
    </div>
  );
}

/** A refusal, a timeout and a lost server are different screens with different next steps. */
export function Failed({ error, retry }: { error: Error; retry?: () => void }): JSX.Element {
  const status = error instanceof ApiError ? error.status : 0;
  const title =
    status === 403
      ? 'You may not see this'
      : status === 404
        ? 'Not found'
        : status === 422 || status === 400
          ? 'The search cannot be read'
          : 'This could not be loaded';
  return (
    <div class="empty" role="alert">
      <h2>{title}</h2>
      <p>{error.message}</p>
      {retry !== undefined && status !== 403 && status !== 404 && (
        <button type="button" class="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

export function Loading(): JSX.Element {
  return (
    <div class="loading" role="status">
      <span class="visually-hidden">Loading …</span>
      <div />
      <div />
      <div />
    </div>
  );
}

export interface Loaded<Value> {
  value: Value | undefined;
  error: Error | undefined;
  reload: () => void;
}

/** Loads again when `key` changes; what was there stays until the new is. */
export function useLoaded<Value>(key: string, load: () => Promise<Value>): Loaded<Value> {
  const [state, setState] = useState<{ key: string; value?: Value; error?: Error }>({ key });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let isCurrent = true;
    load().then(
      (value) => isCurrent && setState({ key, value }),
      (error: unknown) =>
        isCurrent && setState({ key, error: error instanceof Error ? error : new Error(String(error)) }),
    );
    return () => {
      isCurrent = false;
    };
    // The function is made anew with each drawing; the key says when it does something else.
  }, [key, turn]);
  return { value: state.value, error: state.error, reload: () => setTurn((n) => n + 1) };
}

/** Holds the focus while it is open, and gives it back to what had it. */
export function Dialog({
  title,
  look,
  onClose,
  children,
}: {
  title: string;
  look?: string;
  onClose: () => void;
  children: ComponentChildren;
}): JSX.Element {
  const ref = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const opener = document.activeElement;
    ref.current?.showModal();
    return () => giveFocusBack(opener);
  }, []);
  return (
    <dialog ref={ref} class={look} onClose={onClose} aria-label={title}>
      <h2>{title}</h2>
      {children}
    </dialog>
  );
}

/** Once what the dialog has changed is drawn: its button may be gone, or be another one that may not be pressed. */
function giveFocusBack(opener: Element | null): void {
  requestAnimationFrame(() => {
    if (document.activeElement !== document.body && document.activeElement !== null) return;
    if (opener instanceof HTMLElement && opener !== document.body && opener.isConnected) opener.focus();
    if (document.activeElement === document.body) document.getElementById('main')?.focus();
  });
}

/** Asks before something that is not undone, or that needs a word. */
export function ConfirmDialog({
  title,
  text,
  action,
  typed,
  field,
  danger = false,
  onConfirm,
  onClose,
}: {
  title: string;
  text: ComponentChildren;
  /** On the button. */
  action: string;
  /** What has to be typed first. */
  typed?: string;
  /** A text that is sent along. */
  field?: { label: string; value?: string; type?: 'text' | 'number' };
  danger?: boolean;
  onConfirm: (value: string) => Promise<unknown>;
  onClose: () => void;
}): JSX.Element {
  const [value, setValue] = useState(field?.value ?? '');
  const [error, setError] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const submit = (event: Event): void => {
    event.preventDefault();
    setBusy(true);
    onConfirm(value).then(onClose, (failure: unknown) => {
      setBusy(false);
      setError(messageOf(failure));
    });
  };
  const input = {
    value,
    autocomplete: 'off',
    onInput: (event: { currentTarget: HTMLInputElement }): void => setValue(event.currentTarget.value),
  } as const;
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit}>
        <p>{text}</p>
        {(typed !== undefined || field !== undefined) && (
          <label>
            <span>{typed === undefined ? field?.label : `Type ${typed} to confirm`}</span>
            {field?.type === 'number' ? (
              <input type="number" min="1" {...input} />
            ) : (
              <input type="text" {...input} />
            )}
          </label>
        )}
        <FormError text={error} />
        <div class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button
            type="submit"
            class={danger ? 'button danger' : 'button primary'}
            disabled={isBusy || (typed !== undefined && value !== typed)}
          >
            {action}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** Why what was asked for did not come about; `undefined`: nothing. */
export function FormError({ text }: { text: string | undefined }): JSX.Element | null {
  if (text === undefined) return null;
  return (
    <p class="form-error" role="alert">
      {text}
    </p>
  );
}

/** Why the viewer may not do it; `undefined`: the viewer may. @param rights all of them are needed */
export function refusalOf(session: Session, ...rights: RightName[]): string | undefined {
  const lacking = rights.find((right) => !session.rights.includes(right));
  return lacking === undefined ? undefined : (session.refusals[lacking] ?? 'You may not do this.');
}

/** A button that is there for everybody: whoever may not press it learns what is missing. */
export function ActionButton({
  refusal,
  look = '',
  meaning,
  onClick,
  children,
}: {
  refusal: string | undefined;
  look?: '' | 'primary' | 'danger' | 'quiet';
  /** What it does, for the pointer. */
  meaning?: string;
  onClick: () => void;
  children: ComponentChildren;
}): JSX.Element {
  return (
    <button
      type="button"
      class={`button ${look}`}
      disabled={refusal !== undefined}
      title={refusal ?? meaning}
      onClick={onClick}
    >
      {children}
    </button>
  );
}

/** One button that asks before it acts. */
export function ConfirmedButton({
  label,
  title,
  text,
  refusal,
  onConfirm,
}: {
  /** On the button, and on the one that confirms. */
  label: string;
  title: string;
  text: ComponentChildren;
  /** Why the viewer may not; `undefined`: the viewer may. */
  refusal: string | undefined;
  onConfirm: () => Promise<unknown>;
}): JSX.Element {
  const [asks, setAsks] = useState(false);
  return (
    <>
      <ActionButton refusal={refusal} onClick={() => setAsks(true)}>
        {label}
      </ActionButton>
      {asks && (
        <ConfirmDialog
          title={title}
          text={text}
          action={label}
          onClose={() => setAsks(false)}
          onConfirm={onConfirm}
        />
      )}
    </>
  );
}

export function CopyButton({ text, label }: { text: string; label: string }): JSX.Element {
  const [copied, setCopied] = useState(false);
  return (
    <button
      type="button"
      class="button quiet"
      onClick={() => {
        navigator.clipboard.writeText(text).then(
          () => setCopied(true),
          () => setCopied(false),
        );
      }}
    >
      <Icon name={copied ? 'success' : 'copy'} />
      {copied ? 'Copied' : label}
    </button>
  );
}
