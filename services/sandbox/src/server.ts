/** Puts the sandbox together: a world, four adapters that show it, faults, control. */
import formBody from '@fastify/formbody';
import { fastify } from 'fastify';
import { faultHook } from './fault-hook.js';
import { Faults, type Fault } from './faults.js';
import { registerControlRoutes } from './control-routes.js';
import { GoogleAdapter } from './platforms/google.js';
import { MetaAdapter } from './platforms/meta.js';
import { SnapchatAdapter } from './platforms/snapchat.js';
import { Messages, type SentMessage } from './messages.js';
import { Receivers, type ReceivedEvent } from './receiver.js';
import { registerSites } from './sites.js';
import { TikTokAdapter } from './platforms/tiktok.js';
import { truthOf, type AccountTruth } from './truth.js';
import type { SandboxPlatform } from './world/model.js';
import { WordPressSite, type SandboxPost } from './wordpress.js';
import { World } from './world/world.js';
import type { PlatformAdapter } from './platforms/adapter.js';

export interface SandboxOptions {
  /** Default 127.0.0.1. */
  host?: string;
  /** Default 0: any free port. */
  port?: number;
  /** Another seed, another world. Default 1. */
  seed?: number;
  /** Default: the real time. */
  now?: () => Date;
  /** Default 12. */
  campaignsPerAccount?: number;
  /** The most rows on a page, whatever limit a request names: small pages make long listings. Default: each platform's limit. */
  pageSizeLimit?: number;
  /** How long an access token is good, in milliseconds. Default one hour. */
  accessTokenLifetimeMs?: number;
}

/** Base addresses, by the environment variable that leads a service to each. */
export interface SandboxEndpoints {
  META_BASE_URL: string;
  GOOGLE_ADS_BASE_URL: string;
  GOOGLE_OAUTH_URL: string;
  TIKTOK_BASE_URL: string;
  SNAPCHAT_BASE_URL: string;
  SNAPCHAT_OAUTH_URL: string;
}

export interface Sandbox {
  readonly url: string;
  readonly endpoints: SandboxEndpoints;
  inject(fault: Fault): void;
  clearFaults(): void;
  /** Requests that reached a platform so far. */
  requestCount(platform: SandboxPlatform): number;
  truth(platform: SandboxPlatform, accountId: string, since: string, until: string): AccountTruth;
  /** How often a campaign was changed over the platform's API; its number, also on Snapchat. */
  changeCount(platform: SandboxPlatform, accountId: string, campaignId: string): number;
  /** WhatsApp messages that went out. */
  sentMessages(): readonly SentMessage[];
  /** Of the WordPress site. */
  posts(): readonly SandboxPost[];
  /** Events that a receiver got, the newest first. */
  receivedEvents(receiver: string): readonly ReceivedEvent[];
  /** Deletes a campaign, as an advertiser would on the platform. */
  removeCampaign(platform: SandboxPlatform, accountId: string, campaignId: string): void;
  /** Lets days pass. */
  advance(days: number): void;
  today(): string;
  stop(): Promise<void>;
}

const HOUR_MS = 3_600_000;

export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const world = new World({
    seed: options.seed ?? 1,
    now: options.now ?? (() => new Date()),
    campaignsPerAccount: options.campaignsPerAccount ?? 12,
  });
  const faults = new Faults();
  const adapterOptions = {
    world,
    pageSizeLimit: options.pageSizeLimit ?? Infinity,
    accessTokenLifetimeMs: options.accessTokenLifetimeMs ?? HOUR_MS,
  };
  const adapters = new Map<SandboxPlatform, PlatformAdapter>([
    ['meta', new MetaAdapter(adapterOptions)],
    ['google', new GoogleAdapter(adapterOptions)],
    ['tiktok', new TikTokAdapter(adapterOptions)],
    ['snapchat', new SnapchatAdapter(adapterOptions)],
  ]);
  const counts = new Map<SandboxPlatform, number>();
  const app = fastify({
    logger: false,
    forceCloseConnections: true,
    routerOptions: { ignoreTrailingSlash: false },
  });
  await app.register(formBody);
  app.addHook('preHandler', async (request) => {
    for (const [platform, adapter] of adapters) {
      if (request.url.startsWith(`${adapter.prefix}/`)) counts.set(platform, (counts.get(platform) ?? 0) + 1);
    }
  });
  app.addHook('preHandler', faultHook(faults, adapters));
  for (const adapter of adapters.values()) adapter.register(app);
  const messages = new Messages();
  messages.register(app);
  const wordpress = new WordPressSite();
  wordpress.register(app);
  const receivers = new Receivers();
  receivers.register(app);
  registerSites(app, world);
  registerControlRoutes(app, world, faults);
  const url = await app.listen({ host: options.host ?? '127.0.0.1', port: options.port ?? 0 });
  return {
    url,
    endpoints: endpointsAt(url),
    inject: (fault) => faults.inject(fault),
    clearFaults: () => faults.clear(),
    requestCount: (platform) => counts.get(platform) ?? 0,
    truth: (platform, accountId, since, until) => truthOf(world, platform, accountId, since, until),
    removeCampaign: (platform, accountId, campaignId) =>
      world.remove(world.account(platform, accountId), campaignId),
    changeCount: (platform, accountId, campaignId) =>
      world.changeCount(world.account(platform, accountId), campaignId),
    sentMessages: () => messages.sent,
    posts: () => wordpress.posts,
    receivedEvents: (receiver) => receivers.received(receiver),
    advance: (days) => world.advance(days),
    today: () => world.today(),
    stop: () => app.close(),
  };
}

/** Where a sandbox at this address shows each platform. */
export function endpointsAt(url: string): SandboxEndpoints {
  return {
    META_BASE_URL: `${url}/meta/v26.0`,
    GOOGLE_ADS_BASE_URL: `${url}/google/v26`,
    GOOGLE_OAUTH_URL: `${url}/google-oauth/token`,
    TIKTOK_BASE_URL: `${url}/tiktok/open_api/v1.3`,
    SNAPCHAT_BASE_URL: `${url}/snapchat/v1`,
    SNAPCHAT_OAUTH_URL: `${url}/snapchat-oauth/login/oauth2/access_token`,
  };
}
