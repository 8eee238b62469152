/** The path that a proxy has put in front of all addresses; the server writes it into the page. */
import { options } from 'preact';

const BASE = document.querySelector<HTMLMetaElement>('meta[name="base-path"]')?.content ?? '';
const ADDRESSES: Readonly<Record<string, 'href' | 'src'>> = { a: 'href', img: 'src' };

/** @param path from the root of the application */
export function withBase(path: string): string {
  return BASE + path;
}

export function withoutBase(path: string): string {
  return path.startsWith(`${BASE}/`) ? path.slice(BASE.length) : path === BASE ? '/' : path;
}

/** Links are written as if the application were at the root. Call it once, before anything is drawn. */
export function addBaseToLinks(): void {
  if (BASE === '') return;
  const before = options.vnode?.bind(options);
  options.vnode = (node) => {
    const name = typeof node.type === 'string' ? ADDRESSES[node.type] : undefined;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- attributes of an element
    const attributes = node.props as Record<string, unknown>;
    const address = name === undefined ? undefined : attributes[name];
    if (name !== undefined && typeof address === 'string' && address.startsWith('/'))
      attributes[name] = withBase(address);
    before?.(node);
  };
}
