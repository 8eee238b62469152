/** A dashboard on a platform of its own, and clients of it: with a session, and without. */
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { jetstreamManager } from '@nats-io/jetstream';
import { DASHBOARD_SETTINGS, startDashboard } from '@stratum/dashboard';
import { JobsMetrics } from '@stratum/jobs/metrics';
import { auditNames, loadConfiguration, PLATFORM_TENANT_ID, withTenant } from '@stratum/shared';
import { ALL_SCOPES, createApiKey, TENANT_SCOPES, type Scope } from '@stratum/shared/api-keys';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { onTestFinished } from 'vitest';
import { openPlatform, type Platform } from '../harness/platform.js';
import { checkDescribed } from './described.js';

const BUILD = fileURLToPath(new URL('../../../scripts/web.mjs', import.meta.url));
let built: Promise<unknown> | undefined;

/** The pages, as `npx pnpm build` leaves them. */
export async function buildPages(): Promise<void> {
  built ??= promisify(execFile)(process.execPath, [BUILD]);
  await built;
}

export interface Answer<Body = Record<string, unknown>> {
  status: number;
  headers: Headers;
  body: Body;
}

export type Call = <Body = Record<string, unknown>>(
  method: string,
  path: string,
  body?: object,
  headers?: Record<string, string>,
) => Promise<Answer<Body>>;

export interface Dashboard extends Platform {
  url: string;
  /** The token of a link. */
  createLink: () => Promise<string>;
  /** Text of a key. @param tenantId `undefined`: the platform's */
  createKey: (tenantId: number | undefined, scopes?: readonly Scope[]) => Promise<string>;
  /** Calls with the session of a key. */
  signIn: (key: string) => Promise<Call>;
  /** Without a session. */
  call: Call;
}

/** @param options.log receives every line that the dashboard logs */
export async function openDashboard(
  settings: Record<string, string> = {},
  { log }: { log?: Writable } = {},
): Promise<Dashboard> {
  const [platform] = await Promise.all([openPlatform(), buildPages()]);
  const { database, prefix, natsUrl, connection } = platform;
  const registry = new Registry();
  const dashboard = await startDashboard({
    configuration: loadConfiguration(
      [...DASHBOARD_SETTINGS, 'NATS_URL', 'NATS_CREDS', 'LOG_LEVEL', 'METRICS_HOST', 'METRICS_PORT'],
      {
        NATS_URL: natsUrl,
        DATABASE_URL: database.url,
        STRATUM_PREFIX: prefix,
        DASHBOARD_PORT: '0',
        ...settings,
      },
    ),
    connection,
    logger:
      log === undefined
        ? pino({ level: process.env['LOG_LEVEL'] ?? 'silent' })
        : pino({ level: 'trace' }, log),
    registry,
    metrics: new JobsMetrics(registry),
  });
  onTestFinished(() => dashboard.stop());
  const call = callsOf(dashboard.url);
  return {
    ...platform,
    url: dashboard.url,
    call,
    createLink: async () => {
      const token = randomBytes(32).toString('base64url');
      await database.owner.query(
        `INSERT INTO dashboard_link (hash, expires_at) VALUES ($1, now() + interval '10 minutes')`,
        [createHash('sha256').update(token).digest()],
      );
      return token;
    },
    createKey: async (tenantId, scopes) => {
      const owner = tenantId ?? PLATFORM_TENANT_ID;
      const { text } = await withTenant(database.owner, owner, (client) =>
        createApiKey(client, {
          tenantId: owner,
          name: 'test',
          scopes: scopes ?? (tenantId === undefined ? ALL_SCOPES : TENANT_SCOPES),
        }),
      );
      return text;
    },
    signIn: async (key) => {
      const { status, headers } = await call('POST', '/api/session', { key });
      if (status !== 201) throw new Error(`The key was not accepted: ${status}`);
      return callsOf(dashboard.url, cookieOf(headers));
    },
  };
}

export function cookieOf(headers: Headers): string {
  return headers.get('set-cookie')?.split(';')[0] ?? '';
}

/** As a page of the dashboard calls. Every answer is compared with the description of the dashboard. */
export function callsOf(url: string, cookie?: string): Call {
  return async <Body>(
    method: string,
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<Answer<Body>> => {
    const response = await fetch(new URL(path, url), {
      method,
      redirect: 'manual',
      headers: {
        'x-stratum-dashboard': '1',
        'sec-fetch-site': 'same-origin',
        ...(cookie === undefined ? {} : { cookie }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '');
    const parsed: Body = isJson && text !== '' ? JSON.parse(text) : text;
    const { status } = response;
    await checkDescribed({
      method,
      path,
      status,
      contentType: response.headers.get('content-type'),
      body: parsed,
    });
    return { status, headers: response.headers, body: parsed };
  };
}

/** Kind of actor, action and subject of every audit event, the oldest first. */
export async function auditedEvents({ connection, prefix }: Dashboard): Promise<(string | undefined)[][]> {
  const { stream } = auditNames(prefix);
  const manager = await jetstreamManager(connection);
  const { state } = await manager.streams.info(stream);
  const events: (string | undefined)[][] = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const message = await manager.streams.getMessage(stream, { seq });
    const event: { actor?: string; action?: string; subject?: string } = message?.json() ?? {};
    events.push([event.actor?.split('/')[0], event.action, event.subject]);
  }
  return events;
}

/** The same, without the events of signing in. */
export async function auditedActions(dashboard: Dashboard): Promise<unknown[]> {
  return (await auditedEvents(dashboard)).filter(([, action]) => action !== 'session.opened');
}
