/** Every setting of the platform, read from environment variables once at start. */
import { brokerSettings } from './broker-settings.js';
import {
  count,
  HIDDEN,
  number,
  ports,
  printSettings,
  readSettings,
  required,
  seconds,
  secret,
  SettingProblem,
  text,
  url,
  urlParser,
  withDefault,
  withoutPasswords,
  type Setting,
  type Values,
} from './settings.js';
import { hiddenIn } from './hidden-parts.js';
import { ENDPOINT_SETTINGS } from './platform-endpoints.js';
import { PLATFORM_SETTINGS, type PlatformSetting } from '@stratum/connectors/ad-platforms';
import { parseKeyRing, type KeyRing } from '../credentials/key-ring.js';
import { parseGroupPlaces, type GroupPlace } from '../dashboard-users/roles.js';

/** 0: for ever. */
function days(byDefault: number, min: number): Setting<number> {
  const parse = number(0, 36_500);
  return withDefault((value) => {
    const given = parse(value);
    if (given === 0 || given >= min) return given;
    throw new SettingProblem(`must be 0, for ever, or at least ${min}`);
  }, byDefault);
}

/** An address that paths are appended to. */
function httpUrl<Default extends string | undefined>(
  byDefault: Default,
  example = 'https://example.com',
): Setting<string | Default> {
  const parse = urlParser(/^https?:\/\//, example);
  return withDefault<string, Default>(
    (value) => parse(value).replace(/\/+$/, ''),
    byDefault,
    (value) => withoutPasswords(String(value)),
  );
}

function basePath(value: string): string {
  const path = value.replace(/\/+$/, '');
  if (path === '' || /^(\/[\w.-]+)+$/.test(path)) return path;
  throw new SettingProblem('must be a path such as /stratum');
}

/** Each ad platform declares its endpoints. */
function endpointSettings(): Record<PlatformSetting, Setting<string>> {
  const settings = ENDPOINT_SETTINGS.map((setting) => [setting, httpUrl(PLATFORM_SETTINGS[setting].default)]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- fromEntries loses the names of the keys
  return Object.fromEntries(settings) as Record<PlatformSetting, Setting<string>>;
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

function logLevel(value: string): (typeof LOG_LEVELS)[number] {
  const level = LOG_LEVELS.find((each) => each === value);
  if (level === undefined) throw new SettingProblem(`must be one of ${LOG_LEVELS.join(', ')}`);
  return level;
}

function commaSeparated(value: string): string[] {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** RFC 3339. */
function time(value: string): Date {
  const at = new Date(value);
  if (
    /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(value) &&
    !Number.isNaN(at.getTime())
  )
    return at;
  throw new SettingProblem('must be a time such as 2026-11-20T03:00:00Z');
}

function keyRing(value: string): KeyRing {
  try {
    return parseKeyRing(value);
  } catch (error) {
    throw new SettingProblem(error instanceof Error ? error.message : 'is not valid');
  }
}

/** The ids of keys are no secrets, and say which of them a process has. */
function withoutKeys(ring: KeyRing | undefined): string {
  if (ring === undefined) return '';
  return (ring.ids ?? [ring.current.id]).map((id) => `${id}:${HIDDEN}`).join(',');
}

function groupPlaces(value: string): readonly GroupPlace[] {
  try {
    return parseGroupPlaces(value);
  } catch (error) {
    throw new SettingProblem(error instanceof Error ? error.message : 'is not valid');
  }
}

function groupPlacesText(places: readonly GroupPlace[]): string {
  const entries = places.map(({ group, role, tenantId }) => [
    group,
    tenantId === 0 ? role : `${role}@${tenantId}`,
  ]);
  return JSON.stringify(Object.fromEntries(entries));
}

/** Secrets go there: in clear text to this machine alone. */
function issuer(value: string): string {
  if (
    /^(https:\/\/|http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(\/|$))/.test(value) &&
    URL.canParse(value)
  )
    return value;
  throw new SettingProblem('must be an https URL such as https://id.example.com');
}

const SETTINGS = {
  ...brokerSettings,
  /** The PostgreSQL database; its user must be a member of the services' roles. */
  DATABASE_URL: url(/^postgres(ql)?:\/\//, 'postgres://user:password@127.0.0.1:5432/stratum'),
  /** Connections in a service's pool. Default 10. */
  DATABASE_POOL_SIZE: count(10, 1_000),
  /** Timeout of a statement, in seconds. Default 30. */
  DATABASE_STATEMENT_TIMEOUT: seconds(30),
  /** Keys for credentials at rest: `<id>:<base64 of 32 bytes>`, the first one encrypts, further ones still decrypt. */
  STRATUM_CREDENTIALS_KEY: required(keyRing, withoutKeys),
  /** Keys of the audit log's chain, in the same form. Default: derived from the keys for credentials. */
  STRATUM_AUDIT_KEY: withDefault<KeyRing, undefined>(keyRing, undefined, withoutKeys),
  /** File that the default worker appends the anchors of the audit log to, one JSON object a line. Default: the stream alone. */
  AUDIT_ANCHOR_FILE: text(),
  /** Tasks at once in a worker. Default 4. */
  WORKER_CONCURRENCY: count(4, 10_000),
  /** Messages a worker holds, as a multiple of its concurrency. Default 1. */
  WORKER_PREFETCH_MULTIPLIER: count(1, 1_000),
  /** How long a stopping worker lets tasks finish, in seconds. Default 30. */
  WORKER_SHUTDOWN_GRACE: seconds(30),
  TASK_UNKNOWN_FOR: seconds(300),
  /** Hard limit of a task that has none of its own, in seconds. Default 600. */
  TASK_TIME_LIMIT: seconds(600),
  /** Soft limit of a task that has none of its own, in seconds. Default 540. */
  TASK_SOFT_TIME_LIMIT: seconds(540),
  /** Retries, after the first attempt, of a task that sets none. Default 3. */
  TASK_MAX_RETRIES: count(3, 1_000, 0),
  /** Wait before a retry of a task that sets no backoff, in seconds. Default 60. */
  TASK_RETRY_DELAY: seconds(60),
  /** Address at which a service shows its metrics and health. Default 127.0.0.1; in a container 0.0.0.0. */
  METRICS_HOST: text('127.0.0.1'),
  /**
   * Port at which a service shows its metrics and health over HTTP. Of a range, such as `9100-9199`, each service takes a port of its own, so
   * that services on one machine can have the same environment. Default: it does not.
   */
  METRICS_PORT: ports(),
  LOG_LEVEL: withDefault(logLevel, 'info'),
  /** Timeout of a request to an ad platform, in seconds. Default 30. */
  PLATFORM_REQUEST_TIMEOUT: seconds(30),
  /** WhatsApp Cloud API. */
  WHATSAPP_BASE_URL: httpUrl('https://graph.facebook.com/v26.0'),
  ...endpointSettings(),
  /** Access to Meta's Ad Library; without it the ads of competitors stay unknown. Default: none. */
  META_AD_LIBRARY_TOKEN: secret(),
  /**
   * Hosts with their ports, comma-separated, that the site scanner may visit although they are not public: for tests and the local
   * stack. Default: none.
   */
  SCANNER_ALLOWED_HOSTS: withDefault(commaSeparated, []),
  /** Deliveries at once to one subscription's receiver, over all workers. Default 2. */
  SUBSCRIPTION_CONCURRENCY: count(2, 1_000),
  /** Attempts in a row without a success before a subscription is paused … Default 10. */
  SUBSCRIPTION_PAUSE_FAILURES: count(10),
  /** … if the first of them is so long ago, in seconds. Default 172,800: two days. */
  SUBSCRIPTION_PAUSE_AFTER: seconds(172_800),
  /** The schedule starts at this time, RFC 3339, instead of now; for watching a past day. Default: now. */
  SCHEDULE_CLOCK_FROM: withDefault(time, undefined),
  /** How fast the schedule's clock runs until it has caught up with the real time. Default 1. */
  SCHEDULE_CLOCK_SPEED: withDefault(number(1, 100_000, { whole: false }), 1),
  /** Address that the API listens on. Default 127.0.0.1; in a container 0.0.0.0. */
  API_HOST: text('127.0.0.1'),
  /** Where the API listens; 0 is any free port. Default 8000. */
  API_PORT: count(8000, 65_535, 0),
  /**
   * Where the API is reached from outside, behind whatever proxies: senders that sign the address sign this one. Required where API_HOST
   * is no loopback address. Default: as it listens.
   */
  API_PUBLIC_URL: httpUrl(undefined, 'https://api.example.com'),
  /** Requests of one key, or of one address without a key, in a second and process; more are answered with 429. Default 500. */
  API_RATE_LIMIT: count(500),
  /** Requests of one address with a wrong API key or write key, or without one, in a minute and process; more are answered with 429. Default 100. */
  API_FAILED_KEYS_LIMIT: count(100),
  /** Larger request bodies are refused, in bytes, also after decompression. Default 1,048,576. */
  API_BODY_LIMIT: count(1_048_576, 67_108_864),
  /**
   * Request bodies, besides those of customer events, held at once by a process of the API, in bytes; beyond it the longest unfinished body
   * of the largest sender is answered with 503. Default 134,217,728.
   */
  API_MEMORY_LIMIT: count(134_217_728, 17_179_869_184),
  /** Connections to a process of the API at once; a further one ends the longest idle one. Default 8,192. */
  API_MAX_CONNECTIONS: count(8_192),
  /** … from one address. Default 1,024. */
  API_ADDRESS_CONNECTIONS: count(1_024),
  /** Time in which a request has to arrive, in seconds. Default 30. */
  API_REQUEST_TIMEOUT: seconds(30),
  /** Proxies in front of the API whose `X-Forwarded-For` is believed: addresses or networks, comma-separated. Default: none. */
  API_TRUSTED_PROXIES: withDefault(commaSeparated, []),
  /** Webhook requests of one endpoint in a second and process; more are answered with 429. Default 5,000. */
  WEBHOOK_RATE_LIMIT: count(5_000),
  /** Days for which events that name an erased person are dropped. Default 30. */
  ERASED_PERSON_BLOCK_DAYS: count(30, 3_650, 0),
  /** Days between the deletion of a tenant and its erasure, in which it can be restored. Default 30. */
  TENANT_GRACE_DAYS: count(30, 3_650, 0),
  /** Days to keep inbound webhook deliveries; at least 8, because senders repeat for so long. Default 30. */
  WEBHOOK_RETENTION_DAYS: count(30, 3_650, 8),
  /** Days to keep reports of jobs' runs, and ids for the de-duplication of events. Default 90. */
  HISTORY_RETENTION_DAYS: days(90, 30),
  /** Days to keep closed alerts, finished actions and sent messages. Default 400. */
  RECORD_RETENTION_DAYS: days(400, 30),
  /** Days to keep daily figures of campaigns and creatives. Default 1,125: as long as Meta keeps them. */
  METRIC_RETENTION_DAYS: days(1_125, 400),
  /** Days to keep customer events. Default 1,125. */
  EVENT_RETENTION_DAYS: days(1_125, 30),
  /** Address that the dashboard listens on; beyond this machine it needs DASHBOARD_PUBLIC_URL with https. Default 127.0.0.1. */
  DASHBOARD_HOST: text('127.0.0.1'),
  /** Where the dashboard listens; 0 is any free port. Default 5555. */
  DASHBOARD_PORT: count(5555, 65_535, 0),
  /** Where browsers reach the dashboard, behind whatever proxies. Default: as it listens. */
  DASHBOARD_PUBLIC_URL: httpUrl(undefined, 'https://dashboard.example.com'),
  /** Path under which a proxy serves the dashboard, such as `/stratum`. Default: none. */
  DASHBOARD_BASE_PATH: withDefault(basePath, ''),
  /** Provider of identities (OpenID Connect) whose people sign in to the dashboard. Default: none. */
  DASHBOARD_OIDC_ISSUER: withDefault(issuer, undefined),
  /** The dashboard's id at the provider. */
  DASHBOARD_OIDC_CLIENT_ID: text(),
  /** The dashboard's secret at the provider. Default: none, as a public client. */
  DASHBOARD_OIDC_CLIENT_SECRET: secret(),
  /** Scopes that the dashboard asks the provider for. Default `openid email`. */
  DASHBOARD_OIDC_SCOPES: text('openid email'),
  /** Groups of the provider whose members need no invitation, with what they may do: JSON. Default: none. */
  DASHBOARD_OIDC_GROUPS: withDefault(groupPlaces, [], groupPlacesText),
  /** Claim with the names of a person's groups. Default `groups`. */
  DASHBOARD_OIDC_GROUPS_CLAIM: text('groups'),
  /** Days to keep the history of tasks. Default 30. */
  DASHBOARD_HISTORY_DAYS: count(30, 400),
  /** Customer events of one write key in a second and process; more are answered with 429. Default 20,000. */
  INGEST_RATE_LIMIT: count(20_000),
  /** The same for bodies of customer events, in bytes. Default 67,108,864. */
  INGEST_MEMORY_LIMIT: count(67_108_864, 17_179_869_184),
};

export type Configuration = Values<typeof SETTINGS>;
export type ConfigurationKey = keyof Configuration;

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- keys of an object lose their names
export const CONFIGURATION_KEYS = Object.keys(SETTINGS) as readonly ConfigurationKey[];

/**
 * Reads the settings a program needs; others may be missing.
 * @throws ConfigurationError with every problem
 */
export function loadConfiguration<Key extends ConfigurationKey>(
  keys: readonly Key[],
  environment: NodeJS.ProcessEnv = process.env,
): Pick<Configuration, Key> {
  return readSettings(SETTINGS, keys, environment);
}

/**
 * The settings that a program needs, as they are in effect, for people to read: secrets are hidden.
 * @throws ConfigurationError with every problem
 */
export function printConfiguration(
  keys: readonly ConfigurationKey[],
  environment: NodeJS.ProcessEnv = process.env,
): string {
  return printSettings(SETTINGS, keys, environment);
}

/** The secrets that the settings of an environment hold: for logs, which must not show them. */
export function secretsIn(environment: NodeJS.ProcessEnv): string[] {
  return hiddenIn(SETTINGS, environment);
}
