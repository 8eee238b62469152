/** Places in the application are addresses: Back, reload and a copied link show the same. */
import { useEffect, useState } from 'preact/hooks';
import { withBase, withoutBase } from './base-path.js';

export interface Place {
  /** Parts of the path, without the first slash. */
  path: string[];
  query: URLSearchParams;
}

const listeners = new Set<() => void>();

function here(): Place {
  const { pathname, search } = window.location;
  return {
    path: withoutBase(pathname)
      .split('/')
      .filter((part) => part !== '')
      .map(decodeURIComponent),
    query: new URLSearchParams(search),
  };
}

window.addEventListener('popstate', () => {
  for (const listener of listeners) listener();
});

export function navigate(to: string, { replace = false }: { replace?: boolean } = {}): void {
  const address = withBase(to);
  if (replace) history.replaceState(null, '', address);
  else history.pushState(null, '', address);
  for (const listener of listeners) listener();
  if (!replace) window.scrollTo(0, 0);
}

export function usePlace(): Place {
  const [place, setPlace] = useState(here);
  useEffect(() => {
    const update = (): void => setPlace(here());
    listeners.add(update);
    return () => {
      listeners.delete(update);
    };
  }, []);
  return place;
}

/** Lets the browser do what its keys ask for: a new tab, a new window, a download. */
export function followLink(event: MouseEvent): void {
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (link === null || event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.origin !== window.location.origin || link.target !== '' || link.hasAttribute('download')) return;
  // A link within the page is the browser's.
  if (link.hash !== '' && link.pathname === window.location.pathname) return;
  event.preventDefault();
  navigate(withoutBase(link.pathname) + link.search);
}
