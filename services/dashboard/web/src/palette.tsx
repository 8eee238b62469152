/** Control or Command and K: goes to a page, to whatever an id names, or to a search, without leaving the keyboard. */
import type { GoPlace } from '@stratum/dashboard/answers';
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call, messageOf, query } from './api.js';
import { areKeysOn, switchKeys } from './keys.js';
import { navigate } from './router.js';
import { Dialog, FormError, Icon } from './ui.js';

export interface PalettePage {
  name: string;
  title: string;
  /** Opens it after `g`. */
  key: string;
}

interface Choice {
  label: string;
  hint: string;
  open: () => Promise<void> | void;
}

export function Palette({
  pages,
  onClose,
}: {
  pages: readonly PalettePage[];
  onClose: () => void;
}): JSX.Element {
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(0);
  const [error, setError] = useState<string>();
  const choices = choicesFor(text.trim(), pages);
  const take = (choice: Choice | undefined): void => {
    Promise.resolve(choice?.open()).then(onClose, (failure: unknown) => setError(messageOf(failure)));
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step === 0 || choices.length === 0) return;
    event.preventDefault();
    setChosen((chosen + step + choices.length) % choices.length);
  };
  return (
    <Dialog title="Go to" look="palette" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          take(choices[chosen]);
        }}
      >
        <div class="palette-field">
          <Icon name="search" />
          <input
            type="text"
            role="combobox"
            aria-label="A page, an id or a search"
            aria-expanded={choices.length > 0}
            aria-controls="palette-choices"
            aria-activedescendant={choices[chosen] === undefined ? undefined : `palette-${chosen}`}
            aria-autocomplete="list"
            placeholder="A page, an id or a search"
            autocomplete="off"
            spellcheck={false}
            value={text}
            onKeyDown={onKeyDown}
            onInput={({ currentTarget }) => {
              setText(currentTarget.value);
              setChosen(0);
              setError(undefined);
            }}
          />
        </div>
        <FormError text={error} />
        <ul id="palette-choices" role="listbox" aria-label="Choices">
          {choices.map((choice, index) => (
            <li
              key={choice.label}
              id={`palette-${index}`}
              role="option"
              aria-selected={index === chosen}
              onClick={() => take(choice)}
            >
              <span>{choice.label}</span>
              <span class="faint">{choice.hint}</span>
            </li>
          ))}
        </ul>
      </form>
    </Dialog>
  );
}

function choicesFor(text: string, pages: readonly PalettePage[]): Choice[] {
  const found = pages
    .filter(({ title }) => title.toLowerCase().startsWith(text.toLowerCase()))
    .map(({ name, title, key }) => ({
      label: title,
      hint: `g ${key}`,
      open: () => navigate(`/${name}`),
    }));
  if (text === '' || !pages.some(({ name }) => name === 'tasks')) return found;
  const search = {
    label: `Search tasks for ${text}`,
    hint: '',
    open: () => navigate(`/tasks${query({ q: text })}`),
  };
  const go = { label: `Go to ${text}`, hint: 'task, workflow, schedule or trace', open: () => goTo(text) };
  return [...found, ...(/^[\w-]{1,64}$/.test(text) ? [go] : []), search];
}

/** @throws ApiError for an id that names nothing */
export async function goTo(id: string): Promise<void> {
  const { path } = await call<GoPlace>('GET', `/api/go/${id}`);
  navigate(path, { replace: window.location.pathname.endsWith(`/go/${id}`) });
}

const KEYS: readonly (readonly [keys: string, meaning: string])[] = [
  ['Ctrl K or ⌘ K', 'Go to a page, an id or a search'],
  ['/', 'Search tasks'],
  ['j, k', 'Next and previous row'],
  ['Enter', 'Open'],
  ['Esc', 'Close'],
  ['?', 'This list'],
];

export function KeysHelp({
  pages,
  onClose,
}: {
  pages: readonly PalettePage[];
  onClose: () => void;
}): JSX.Element {
  const [isOn, setOn] = useState(areKeysOn);
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl class="keys">
        {[...KEYS, ...pages.map(({ key, title }) => [`g ${key}`, title] as const)].map(([keys, meaning]) => (
          <>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </>
        ))}
      </dl>
      <label class="choice">
        <input
          type="checkbox"
          checked={isOn}
          onChange={({ currentTarget }) => {
            switchKeys(currentTarget.checked);
            setOn(currentTarget.checked);
          }}
        />
        <span>Single keys</span>
      </label>
      <div class="dialog-actions">
        <button type="button" class="button" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
