/** Facts that a competitor's front page states about itself; null where it states none. */
import { SiteError, type SafeFetch } from '../safe-fetch/index.js';
import { parseInThread } from './parse-in-thread.js';
import type { SiteFacts } from './page-facts.js';

/** @throws SiteError, also when robots.txt keeps us out */
export async function readSite(fetcher: SafeFetch, website: string, signal: AbortSignal): Promise<SiteFacts> {
  const url = addressOf(website);
  const robots = new Robots(fetcher, signal);
  await robots.ask(url);
  // Each page on the way may be forbidden, too, by its own host.
  const page = await fetcher.page(url, signal, { onRedirect: (target) => robots.ask(target) });
  if (page.status >= 500 || page.status === 429)
    throw new SiteError(`the site answers HTTP ${page.status}`, true);
  if (page.status >= 400) throw new SiteError(`the site answers HTTP ${page.status}`, false);
  return parseInThread<'page'>(
    { kind: 'page', url: page.url.href, html: page.body, headers: page.headers },
    signal,
  );
}

/** People leave the scheme out. */
function addressOf(website: string): URL {
  const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(website) ? website : `https://${website}`;
  if (!URL.canParse(address)) throw new SiteError('the address is not a URL', false, 'address');
  return new URL(address);
}

/** RFC 9309: this much has to be read; what follows need not be. */
const MAX_ROBOTS = 500 * 1024;

class Robots {
  private readonly files = new Map<string, string>();

  constructor(
    private readonly fetcher: SafeFetch,
    private readonly signal: AbortSignal,
  ) {}

  /** @throws SiteError where the page's host keeps us out of it */
  async ask(page: URL): Promise<void> {
    const address = new URL('/robots.txt', page);
    const text = this.files.get(address.href) ?? (await this.read(address));
    this.files.set(address.href, text);
    if (text.trim() === '') return;
    const request = { kind: 'robots', url: address.href, text, page: page.href } as const;
    if (!(await parseInThread<'robots'>(request, this.signal)))
      throw new SiteError('its robots.txt disallows the page', false);
  }

  /** A file that cannot be had because of the server forbids, one that is not there allows. */
  private async read(address: URL): Promise<string> {
    const { status, body, isCut } = await this.fetcher.page(address, this.signal, { maxBytes: MAX_ROBOTS });
    if (status >= 500) throw new SiteError('its robots.txt cannot be read now', true);
    if (status >= 400) return '';
    // Half a line might forbid more than the whole one.
    return isCut ? body.slice(0, Math.max(body.lastIndexOf('\n'), body.lastIndexOf('\r')) + 1) : body;
  }
}
