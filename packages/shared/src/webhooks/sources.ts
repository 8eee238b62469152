/** The senders that there are. */
import { presentable } from '../database/storable-json.js';
import { digestOf } from './signature.js';
import type { VerifyOptions, Verdict, WebhookEvent, WebhookRequest, WebhookSource } from './source.js';
import { generic } from './sources/generic.js';
import { github } from './sources/github.js';
import { hubspot } from './sources/hubspot.js';
import { meta } from './sources/meta.js';
import { segment } from './sources/segment.js';
import { shopify } from './sources/shopify.js';
import { standard } from './sources/standard.js';
import { stripe } from './sources/stripe.js';
import { tiktok } from './sources/tiktok.js';
import { whatsapp } from './sources/whatsapp.js';

export const SOURCE_NAMES = [
  'meta',
  'whatsapp',
  'shopify',
  'stripe',
  'hubspot',
  'tiktok',
  'segment',
  'github',
  'standard',
  'generic',
] as const;
export type SourceName = (typeof SOURCE_NAMES)[number];

export const SOURCES: Readonly<Record<SourceName, WebhookSource>> = Object.freeze({
  meta,
  whatsapp,
  shopify,
  stripe,
  hubspot,
  tiktok,
  segment,
  github,
  standard,
  generic,
});

const NAMES: ReadonlySet<string> = new Set(SOURCE_NAMES);

export function isSourceName(text: string): text is SourceName {
  return NAMES.has(text);
}

/** A sender with the settings of one endpoint. */
export interface BoundSource {
  readonly name: SourceName;
  verify(request: WebhookRequest, options: Omit<VerifyOptions<unknown>, 'settings'>): Verdict;
  /** @throws MalformedWebhookError */
  events(request: WebhookRequest): WebhookEvent[];
  handshake?: (query: Readonly<Record<string, unknown>>) => string | undefined;
  /** Those headers of the request that are kept. */
  headersOf(request: WebhookRequest): Record<string, string>;
}

/** @param settings as they are stored; checked once, not at every request */
export function bindSource(name: SourceName, settings: Readonly<Record<string, unknown>>): BoundSource {
  const source = SOURCES[name];
  const { tasks: _tasks, ...stored } = settings;
  const own = source.settings.parse(stored);
  return {
    name,
    verify: (request, options) => source.verify(request, { ...options, settings: own }),
    events: (request) => source.events(request, own).map(shortened),
    headersOf: ({ headers }) => {
      const kept = source.keptHeaders.flatMap((header): [string, string][] => {
        const value = headers[header];
        return typeof value === 'string' ? [[header, value.slice(0, MAX_HEADER)]] : [];
      });
      return Object.fromEntries(kept);
    },
    ...(source.handshake === undefined ? {} : { handshake: (query) => source.handshake?.(query, own) }),
  };
}

const MAX_HEADER = 500;
const MAX_TYPE = 100;
const MAX_KEY = 200;

function boundedKey(key: string): string {
  return key.length <= MAX_KEY && presentable(key) === key ? key : `hash/${digestOf(key)}`;
}

/** Bounds texts that the sender chooses, and keeps to what can be stored; keys stay distinct. */
function shortened(event: WebhookEvent): WebhookEvent {
  return {
    ...event,
    key: boundedKey(event.key),
    identity: boundedKey(event.identity),
    type: presentable(event.type.slice(0, MAX_TYPE)),
  };
}
