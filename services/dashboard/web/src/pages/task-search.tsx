/** The field of searches: it completes keys and values. */
import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { Suggestions } from '@stratum/dashboard/answers';
import { call } from '../api.js';
import { Icon, useLoaded } from '../ui.js';

export function SearchBar({ q, onSearch }: { q: string; onSearch: (q: string) => void }): JSX.Element {
  const [text, setText] = useState(q);
  const [isOpen, setOpen] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const { value: known } = useLoaded('suggest', () => call<Suggestions>('GET', '/api/tasks/suggest'));
  const options = isOpen && known !== undefined ? completions(text, known) : [];
  const take = (completed: string): void => {
    setText(completed);
    input.current?.focus();
  };
  return (
    <form
      class="search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        setOpen(false);
        onSearch(text.trim());
      }}
    >
      <Icon name="search" />
      <input
        ref={input}
        id="search"
        type="search"
        aria-label="Search tasks"
        placeholder="state:failure queue:sync label.campaign:17 slow:>10s, a task or an id"
        value={text}
        autocomplete="off"
        spellcheck={false}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setOpen(true);
        }}
        onKeyDown={(event) => event.key === 'Escape' && setOpen(false)}
      />
      <button type="submit" class="button">
        Search
      </button>
      {options.length > 0 && (
        <ul class="completions" aria-label="Completions">
          {options.map(([completed, shown, meaning]) => (
            <li key={shown}>
              <button
                type="button"
                // The field keeps the focus, so that typing goes on.
                onMouseDown={(event) => event.preventDefault()}
                onClick={() => take(completed)}
              >
                <code>{shown}</code>
                <span class="faint">{meaning}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </form>
  );
}

const MAX_COMPLETIONS = 14;

/** What the last word may become: the whole text then, what is shown, and what it means. */
function completions(
  text: string,
  known: Suggestions,
): [completed: string, shown: string, meaning: string][] {
  const [, before = '', word = ''] = /^(.*?)(\S*)$/.exec(text) ?? [];
  const [key = '', value] = word.split(':');
  if (value === undefined)
    return Object.entries(known.keys)
      .filter(([name]) => name.startsWith(key))
      .map(([name, meaning]): [string, string, string] => [
        `${before}${name}${name === 'label' ? '.' : ':'}`,
        `${name}:`,
        meaning,
      ])
      .slice(0, MAX_COMPLETIONS);
  const values: Record<string, readonly string[]> = {
    state: known.states,
    queue: known.queues,
    task: known.tasks,
  };
  const [last = ''] = value.split(',').slice(-1);
  const kept = value.slice(0, value.length - last.length);
  return (values[key] ?? [])
    .filter((each) => each.startsWith(last) && each !== last)
    .map((each): [string, string, string] => [`${before}${key}:${kept}${each} `, each, ''])
    .slice(0, MAX_COMPLETIONS);
}
