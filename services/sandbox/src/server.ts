/** Puts the sandbox together: a world, the platforms that show it, faults, control. */
import formBody from '@fastify/formbody';
import { fastify } from 'fastify';
import { faultHook } from './fault-hook.js';
import { Faults, type Fault } from './faults.js';
import { registerControlRoutes } from './control-routes.js';
import { Messages, type SentMessage } from './messages.js';
import { Receivers, type ReceivedEvent } from './receiver.js';
import { registerSites } from './sites.js';
import { truthOf, type AccountTruth } from './truth.js';
import { WordPressSite, type SandboxPost } from './wordpress.js';
import { World } from './world/world.js';
import {
  endpointsAt,
  SANDBOX_PLATFORMS,
  SIMULATIONS,
  type SandboxEndpoints,
  type SandboxPlatform,
} from './platforms/platforms.js';

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

export interface Sandbox {
  readonly url: string;
  readonly endpoints: SandboxEndpoints;
  inject(fault: Fault): void;
  clearFaults(): void;
  /** Requests that reached a platform so far. */
  requestCount(platform: SandboxPlatform): number;
  truth(platform: SandboxPlatform, accountId: string, since: string, until: string): AccountTruth;
  /** How often a campaign was changed over the platform's API; the campaign by its number, whatever id the platform shows. */
  changeCount(platform: SandboxPlatform, accountId: string, campaignId: string): number;
  /** WhatsApp messages that went out. */
  sentMessages(): readonly SentMessage[];
  /** Of the WordPress site. */
  posts(): readonly SandboxPost[];
  /** Events that a receiver got, the newest first. */
  receivedEvents(receiver: string): readonly ReceivedEvent[];
  /** Deletes a campaign, as an advertiser would on the platform; the campaign by the id that the platform shows. */
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
  const adapters = new Map(
    SANDBOX_PLATFORMS.map((platform) => [platform, SIMULATIONS[platform].adapter(adapterOptions)]),
  );
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
    removeCampaign: (platform, accountId, shownId) => {
      const account = world.account(platform, accountId);
      const campaign = world
        .campaigns(account)
        .find((each) => SIMULATIONS[platform].campaignId(account, each) === shownId);
      if (campaign === undefined) throw new Error(`${platform} shows no campaign ${shownId}.`);
      world.remove(account, campaign.id);
    },
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
