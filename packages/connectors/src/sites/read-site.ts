/** Facts that a competitor's front page states about itself; null where it states none. */
import { load } from 'cheerio';
import robotsParser from 'robots-parser';
import { SiteError, USER_AGENT, type SafeFetch } from '../safe-fetch/index.js';

export interface SiteFacts {
  url: string;
  title: string | null;
  description: string | null;
  keywords: string[] | null;
  social: Record<string, string>;
  technology: string[];
}

const NETWORKS: Readonly<Record<string, RegExp>> = {
  facebook: /^(www\.)?facebook\.com$/,
  instagram: /^(www\.)?instagram\.com$/,
  linkedin: /^([a-z]{2,3}\.)?linkedin\.com$/,
  tiktok: /^(www\.)?tiktok\.com$/,
  x: /^(www\.)?(x|twitter)\.com$/,
  youtube: /^(www\.)?youtube\.com$/,
  pinterest: /^([a-z]{2,3}\.)?pinterest\.[a-z.]+$/,
};

/** Traces in addresses of scripts and styles. */
const TRACES: readonly [name: string, trace: RegExp][] = [
  ['Shopify', /cdn\.shopify\.com/],
  ['WordPress', /\/wp-(content|includes)\//],
  ['WooCommerce', /\/plugins\/woocommerce\//],
  ['Google Tag Manager', /googletagmanager\.com\/gtm/],
  ['Google Analytics', /googletagmanager\.com\/gtag|google-analytics\.com/],
  ['Meta Pixel', /connect\.facebook\.net/],
  ['TikTok Pixel', /analytics\.tiktok\.com/],
  ['HubSpot', /js\.hs-scripts\.com/],
  ['Klaviyo', /static\.klaviyo\.com/],
  ['Segment', /cdn\.segment\.com/],
  ['Next.js', /\/_next\/static\//],
];

/** @throws SiteError, also when robots.txt keeps us out */
export async function readSite(fetcher: SafeFetch, website: string, signal: AbortSignal): Promise<SiteFacts> {
  const url = addressOf(website);
  await askRobots(fetcher, url, signal);
  const page = await fetcher.page(url, signal);
  if (page.status >= 500 || page.status === 429)
    throw new SiteError(`the site answers HTTP ${page.status}`, true);
  if (page.status >= 400) throw new SiteError(`the site answers HTTP ${page.status}`, false);
  return factsOf(page.url, page.body, page.headers);
}

/** People leave the scheme out. */
function addressOf(website: string): URL {
  const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(website) ? website : `https://${website}`;
  if (!URL.canParse(address)) throw new SiteError('the address is not a URL', false, 'address');
  return new URL(address);
}

type ParseRobots = (
  url: string,
  text: string,
) => { isAllowed(url: string, agent: string): boolean | undefined };
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the package's types describe an ES module, it is a function that CommonJS exports
const parseRobots = robotsParser as unknown as ParseRobots;

async function askRobots(fetcher: SafeFetch, url: URL, signal: AbortSignal): Promise<void> {
  const address = new URL('/robots.txt', url);
  const { status, body } = await fetcher.page(address, signal);
  // RFC 9309: a file that cannot be had because of the server forbids, one that is not there allows.
  if (status >= 500) throw new SiteError('its robots.txt cannot be read now', true);
  if (status >= 400) return;
  if (parseRobots(address.href, body).isAllowed(url.href, USER_AGENT) === false) {
    throw new SiteError('its robots.txt disallows the page', false);
  }
}

function factsOf(url: URL, html: string, headers: Readonly<Record<string, string>>): SiteFacts {
  const page = load(html);
  const meta = (selector: string): string | null => text(page(selector).first().attr('content'));
  const keywords = meta('meta[name="keywords" i]');
  const sources = page('script[src], link[href]')
    .map((_, element) => page(element).attr('src') ?? page(element).attr('href'))
    .get();
  const hints = [headers['server'], headers['x-powered-by'], meta('meta[name="generator" i]')];
  return {
    url: url.href,
    title: text(page('title').first().text()),
    description: meta('meta[name="description" i]') ?? meta('meta[property="og:description"]'),
    keywords:
      keywords === null
        ? null
        : keywords
            .split(',')
            .map((word) => word.trim())
            .filter((word) => word !== ''),
    social: socialLinks(
      url,
      page('a[href]')
        .map((_, element) => page(element).attr('href'))
        .get(),
    ),
    technology: [
      ...new Set([
        ...hints.flatMap((hint) => (hint ? [hint.slice(0, MAX_HINT)] : [])),
        ...TRACES.flatMap(([name, trace]) => (sources.some((source) => trace.test(source)) ? [name] : [])),
      ]),
    ].toSorted(),
  };
}

const MAX_TEXT = 1_000;
const MAX_HINT = 100;

function text(value: string | undefined): string | null {
  const trimmed = value?.replaceAll(/\s+/g, ' ').trim();
  return trimmed === undefined || trimmed === '' ? null : trimmed.slice(0, MAX_TEXT);
}

/** The first link to each network. */
function socialLinks(base: URL, links: readonly string[]): Record<string, string> {
  const social: Record<string, string> = {};
  for (const link of links) {
    if (!URL.canParse(link, base.href)) continue;
    const target = new URL(link, base);
    const name = Object.keys(NETWORKS).find((network) => NETWORKS[network]?.test(target.hostname) === true);
    if (name !== undefined && target.pathname.length > 1)
      social[name] ??= `${target.origin}${target.pathname}`;
  }
  return social;
}
