/** Facts of a page, and the answer of a robots.txt. They come from anybody, so this runs in a thread that can be ended. */
import { load } from 'cheerio';
import robotsParser from 'robots-parser';
import { SiteError, USER_AGENT } from '../safe-fetch/index.js';

export interface SiteFacts {
  url: string;
  title: string | null;
  description: string | null;
  keywords: string[] | null;
  social: Record<string, string>;
  technology: string[];
}

const NETWORKS: Readonly<Record<string, RegExp>> = {
  facebook: /^((www|m|web|[a-z]{2}-[a-z]{2})\.)?(facebook|fb)\.com$/,
  instagram: /^(www\.)?instagram\.com$/,
  linkedin: /^([a-z]{2,3}\.)?linkedin\.com$/,
  tiktok: /^(www\.)?tiktok\.com$/,
  x: /^((www|mobile)\.)?(x|twitter)\.com$/,
  youtube: /^((www|m)\.)?youtube\.com$/,
  pinterest: /^([a-z]{2,3}\.)?pinterest\.[a-z.]+$/,
};

/** First parts of paths that share, play, search or sign in: nobody's own page. */
const NO_PAGES: Readonly<Record<string, RegExp>> = {
  facebook:
    /^(v\d+(\.\d+)?|sharer|sharer\.php|share|share\.php|dialog|plugins|tr|login|login\.php|hashtag|events|photo\.php|watch|help|policies|privacy)$/i,
  instagram: /^(p|reel|reels|tv|stories|explore|accounts|share|sharer|create|direct)$/i,
  linkedin: /^(sharing|sharearticle|cws|share|feed|uas|login|posts|pulse|legal|help)$/i,
  tiktok: /^(?!@)/,
  x: /^(intent|share|home|hashtag|search|i|login|signup|tos|privacy)$/i,
  youtube: /^(watch|embed|shorts|playlist|results|live|feed|redirect|share|t|v)$/i,
  pinterest: /^(pin|pinterest|search|ideas|join)$/i,
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

const MAX_TAGS = 100_000;
/** Of one tag: the parser compares each attribute with all before it. */
const MAX_ATTRIBUTES = 1_000;
/** Elements that are open at once: the parser walks up through them. */
const MAX_OPEN = 10_000;
/** The tag of an element that has to be closed; the end tags of others may be left out. */
const CLOSED_ELEMENT =
  /^<\/?(?!(?:area|base|br|col|dd|dt|embed|hr|img|input|li|link|meta|option|p|param|source|t[dhr]|tbody|track|wbr)\b)[a-z]/i;

/** One pass over the text, before it is parsed. */
function refuseExcess(html: string): void {
  let tags = 0;
  let open = 0;
  for (let at = html.indexOf('<'); at !== -1; at = html.indexOf('<', at + 1)) {
    if (++tags > MAX_TAGS) throw new SiteError(`the page has more than ${MAX_TAGS} tags`, false);
    const end = html.indexOf('>', at);
    const tag = html.slice(at, end === -1 ? undefined : end);
    if (tag.length > MAX_ATTRIBUTES && tag.split(/[\s/"']+/, MAX_ATTRIBUTES + 1).length > MAX_ATTRIBUTES)
      throw new SiteError(`a tag of the page has more than ${MAX_ATTRIBUTES} attributes`, false);
    if (!CLOSED_ELEMENT.test(tag) || tag.endsWith('/')) continue;
    open = Math.max(0, open + (tag.startsWith('</') ? -1 : 1));
    if (open > MAX_OPEN) throw new SiteError(`the page is nested deeper than ${MAX_OPEN} elements`, false);
  }
}

type ParseRobots = (
  url: string,
  text: string,
) => { isAllowed(url: string, agent: string): boolean | undefined };
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the package's types describe an ES module, it is a function that CommonJS exports
const parseRobots = robotsParser as unknown as ParseRobots;

export function isAllowed(robots: { url: string; text: string }, page: string): boolean {
  return parseRobots(robots.url, robots.text).isAllowed(page, USER_AGENT) !== false;
}

/** @throws SiteError where the page is too large to be worth reading */
export function factsOf(url: URL, html: string, headers: Readonly<Record<string, string>>): SiteFacts {
  refuseExcess(html);
  const page = load(html);
  const meta = (selector: string): string | null => text(page(selector).first().attr('content'));
  const keywords = meta('meta[name="keywords" i]');
  const sources = page('script[src], link[href]')
    .map((_, element) => page(element).attr('src') ?? page(element).attr('href'))
    .get();
  const hints = [headers['server'], headers['x-powered-by'], meta('meta[name="generator" i]')];
  return {
    url: url.href,
    // Pictures have titles, too.
    title: text(page('title').not('svg title').first().text()),
    description: meta('meta[name="description" i]') ?? meta('meta[property="og:description"]'),
    keywords:
      keywords === null
        ? null
        : keywords
            .split(',')
            .map((word) => word.trim())
            .filter((word) => word !== '')
            .slice(0, MAX_KEYWORDS),
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
const MAX_KEYWORDS = 100;
const MAX_HINT = 100;

function text(value: string | undefined): string | null {
  const trimmed = value?.replaceAll(/\s+/g, ' ').trim();
  return trimmed === undefined || trimmed === '' ? null : trimmed.slice(0, MAX_TEXT);
}

/** First parts of paths behind which the page's own name stands. */
const CONTAINERS: Readonly<Record<string, RegExp>> = {
  facebook: /^(pages|pg|people|groups)$/i,
  linkedin: /^(company|school|showcase|in|organization)$/i,
  youtube: /^(channel|c|user)$/i,
};
/** Facebook's pages without a name of their own: the number is behind the question mark. */
const NUMBERED = 'profile.php';

/** The first link to each network that leads to a page itself; else the page to which the first post, video or photo belongs. */
function socialLinks(base: URL, links: readonly string[]): Record<string, string> {
  const social: Record<string, string> = {};
  const owners: Record<string, string> = {};
  for (const link of links) {
    if (!URL.canParse(link, base.href)) continue;
    const target = new URL(link, base);
    const name = Object.keys(NETWORKS).find((network) => NETWORKS[network]?.test(target.hostname) === true);
    const page = name === undefined ? undefined : pageOf(name, target);
    if (name === undefined || page === undefined) continue;
    if (page.isWhole) social[name] ??= page.url;
    else owners[name] ??= page.url;
  }
  return { ...owners, ...social };
}

function pageOf(network: string, target: URL): { url: string; isWhole: boolean } | undefined {
  const parts = target.pathname.split('/').filter((part) => part !== '');
  const [first = '', second] = parts;
  if (first === '' || NO_PAGES[network]?.test(first) === true) return undefined;
  if (network === 'facebook' && first.toLowerCase() === NUMBERED) {
    const id = target.searchParams.get('id');
    return id === null || !/^\d+$/.test(id)
      ? undefined
      : { url: `${target.origin}/${NUMBERED}?id=${id}`, isWhole: true };
  }
  const isContained = CONTAINERS[network]?.test(first) === true;
  if (isContained && second === undefined) return undefined;
  // Facebook's old addresses end in a number behind the name.
  const isOld = network === 'facebook' && /^(pages|people)$/i.test(first) && /^\d+$/.test(parts[2] ?? '');
  const length = isOld ? 3 : isContained ? 2 : 1;
  const isWhole = parts.length <= length;
  return {
    url: isWhole
      ? `${target.origin}${target.pathname}`
      : `${target.origin}/${parts.slice(0, length).join('/')}`,
    isWhole,
  };
}
