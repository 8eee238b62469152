/** Facts that a competitor's front page states about itself; null where it states none. */
import { SiteError, type SafeFetch } from '../safe-fetch/index.js';
import { parseInThread } from './parse-in-thread.js';
import type { SiteFacts } from './page-facts.js';

/** @throws SiteError, also when robots.txt keeps us out */
export async function readSite(fetcher: SafeFetch, website: string, signal: AbortSignal): Promise<SiteFacts> {
  const url = addressOf(website);
  await askRobots(fetcher, url, signal);
  const page = await fetcher.page(url, signal);
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

async function askRobots(fetcher: SafeFetch, url: URL, signal: AbortSignal): Promise<void> {
  const address = new URL('/robots.txt', url);
  const { status, body } = await fetcher.page(address, signal);
  // RFC 9309: a file that cannot be had because of the server forbids, one that is not there allows.
  if (status >= 500) throw new SiteError('its robots.txt cannot be read now', true);
  if (status >= 400 || body.trim() === '') return;
  if (
    !(await parseInThread<'robots'>(
      { kind: 'robots', url: address.href, text: body, page: url.href },
      signal,
    ))
  )
    throw new SiteError('its robots.txt disallows the page', false);
}
