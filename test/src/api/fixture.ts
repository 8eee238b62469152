/** The HTTP API for one test, with two tenants and keys. */
import { startApi, API_SETTINGS } from '@stratum/api';
import type { ResultOf } from '@stratum/jobs';
import { JobsMetrics } from '@stratum/jobs/metrics';
import { loadConfiguration, PLATFORM_TENANT_ID, withTenant, type evaluateRules } from '@stratum/shared';
import { ALL_SCOPES, createApiKey, TENANT_SCOPES, type Scope } from '@stratum/shared/api-keys';
import type { NatsConnection } from '@nats-io/transport-node';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { onTestFinished } from 'vitest';
import { testKeyText } from '../harness/index.js';
import { openPlatform, OTHER_TENANT, TENANT, type Platform } from '../harness/platform.js';

export { OTHER_TENANT, TENANT } from '../harness/platform.js';

/** What `evaluate_rules` returns when there was nothing to do. */
export function noRules(tenantId: number = TENANT): ResultOf<typeof evaluateRules> {
  return {
    tenant_id: tenantId,
    rules: 0,
    campaigns: 0,
    matched: 0,
    fired: 0,
    held: 0,
    conflicts: 0,
    actions: 0,
    invalid: 0,
    results: [],
  };
}

export interface CallOptions {
  /** Default: the first tenant's key. `null`: none. */
  key?: string | null;
  /** Sent as JSON; a string or bytes as they are. */
  body?: unknown;
  headers?: Record<string, string>;
}

export interface Reply<Body = Record<string, unknown>> {
  status: number;
  headers: Headers;
  /** Parsed, where it is JSON; else text. */
  body: Body;
}

export interface Api extends Platform {
  url: string;
  /** Text of the key ring that the API was started with. */
  keyText: string;
  /** Keys with every scope that their owners can have. */
  keys: { tenant: string; otherTenant: string; platform: string };
  /** Before the end of the test, which does it by itself. */
  stop: () => Promise<void>;
  /** Makes a key. @param tenantId `undefined`: the platform's */
  createKey: (
    tenantId: number | undefined,
    scopes?: readonly Scope[],
  ) => Promise<{ id: string; text: string }>;
  call: <Body = Record<string, unknown>>(
    method: string,
    path: string,
    options?: CallOptions,
  ) => Promise<Reply<Body>>;
}

type Settings = Record<string, string>;

export interface ApiOptions {
  /** The API's own connection to the broker. Default: the platform's. */
  connect?: (natsUrl: string) => Promise<NatsConnection>;
}

/** @param settings of the API, besides those that tests share; may be made from the platform */
export async function openApi(
  settings: Settings | ((platform: Platform) => Promise<Settings>) = {},
  { connect }: ApiOptions = {},
): Promise<Api> {
  const platform = await openPlatform();
  const own = typeof settings === 'function' ? await settings(platform) : settings;
  const { database, prefix, natsUrl } = platform;
  const connection = (await connect?.(natsUrl)) ?? platform.connection;
  const keyText = testKeyText();
  const registry = new Registry();
  const api = await startApi({
    configuration: loadConfiguration(
      [...API_SETTINGS, 'NATS_URL', 'NATS_CREDS', 'LOG_LEVEL', 'METRICS_HOST', 'METRICS_PORT'],
      {
        NATS_URL: natsUrl,
        DATABASE_URL: database.url,
        STRATUM_PREFIX: prefix,
        STRATUM_CREDENTIALS_KEY: keyText,
        API_PORT: '0',
        ...own,
      },
    ),
    connection,
    logger: pino({ level: process.env['LOG_LEVEL'] ?? 'silent' }),
    registry,
    metrics: new JobsMetrics(registry),
  });
  onTestFinished(() => api.stop());
  const createKey: Api['createKey'] = async (tenantId, scopes) => {
    const owner = tenantId ?? PLATFORM_TENANT_ID;
    const { key, text } = await withTenant(database.owner, owner, (client) =>
      createApiKey(client, {
        tenantId: owner,
        name: 'test',
        scopes: scopes ?? (tenantId === undefined ? ALL_SCOPES : TENANT_SCOPES),
      }),
    );
    return { id: key.id, text };
  };
  const [tenant, otherTenant, whole] = await Promise.all([
    createKey(TENANT),
    createKey(OTHER_TENANT),
    createKey(undefined),
  ]);
  const keys = { tenant: tenant.text, otherTenant: otherTenant.text, platform: whole.text };
  return {
    ...platform,
    url: api.url,
    keyText,
    keys,
    createKey,
    stop: () => api.stop(),
    call: (method, path, options = {}) =>
      call(new URL(path, api.url), method, { key: keys.tenant, ...options }),
  };
}

async function call<Body>(
  url: URL,
  method: string,
  { key, body, headers }: CallOptions,
): Promise<Reply<Body>> {
  const isRaw = typeof body === 'string' || body instanceof Uint8Array;
  const response = await fetch(url, {
    method,
    redirect: 'manual',
    headers: {
      ...(key === null || key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined || isRaw ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: isRaw ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '');
  const parsed: Body = isJson && text !== '' ? JSON.parse(text) : text;
  return { status: response.status, headers: response.headers, body: parsed };
}
