/** What single keys do. They can be switched off, for people whose software types letters of its own (WCAG 2.1.4). */
import { useEffect } from 'preact/hooks';
import { navigate } from './router.js';

const STORED = 'stratum-keys';

export function areKeysOn(): boolean {
  return localStorage.getItem(STORED) !== 'off';
}

export function switchKeys(isOn: boolean): void {
  if (isOn) localStorage.removeItem(STORED);
  else localStorage.setItem(STORED, 'off');
}

export interface KeyActions {
  pages: readonly { name: string; key: string }[];
  openPalette: () => void;
  openHelp: () => void;
}

/** Control or Command and K always opens the palette; the others are single keys. */
export function useKeys({ pages, openPalette, openHelp }: KeyActions): void {
  useEffect(() => {
    let before = '';
    const onKey = (event: KeyboardEvent): void => {
      if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === 'k') {
        event.preventDefault();
        openPalette();
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || !areKeysOn() || isTyping(event.target)) return;
      const page = before === 'g' ? pages.find(({ key }) => key === event.key) : undefined;
      before = event.key;
      if (page !== undefined) navigate(`/${page.name}`);
      else if (event.key === '/') {
        event.preventDefault();
        search();
      } else if (event.key === '?') openHelp();
      else if (event.key === 'j') moveRow(1);
      else if (event.key === 'k') moveRow(-1);
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [pages.length]);
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, textarea, select, dialog, dialog *');
}

function search(): void {
  if (searchField() === null) navigate('/tasks');
  requestAnimationFrame(() => searchField()?.focus());
}

function searchField(): HTMLInputElement | null {
  return document.querySelector('#search');
}

/** To the first link of the next row of a list, or of the one before. */
function moveRow(step: 1 | -1): void {
  const rows = [...document.querySelectorAll('#main tbody tr, #main .groups > li, #main .workers > li')]
    .map((row) => ({ row, link: row.querySelector<HTMLElement>('a[href], button:not(:disabled)') }))
    .filter(({ link }) => link !== null);
  const at = rows.findIndex(({ row }) => row.contains(document.activeElement));
  const next = at === -1 ? (step === 1 ? 0 : rows.length - 1) : at + step;
  rows[next]?.link?.focus();
}
