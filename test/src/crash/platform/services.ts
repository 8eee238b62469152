/** The services of the platform as processes of a run, and visitors who use them. */
import { freePort } from '../../harness/free-port.js';
import { Immortal, type ImmortalOptions } from '../processes.js';
import type { Access } from './access.js';

export const PLATFORM_PREFIX = 'platform';
/** Time until the work of a killed service is given to another, in seconds. */
export const ACK_WAIT_S = 5;

export interface Services {
  /** What may be killed, frozen and restarted. */
  readonly all: readonly Immortal[];
  readonly visitor: Immortal;
}

export interface ServiceOptions extends Pick<ImmortalOptions, 'folder' | 'shifter'> {
  /** What the processes of the suite itself are given: servers, seed, journals. */
  environment: NodeJS.ProcessEnv;
  access: Access;
  replicas: number;
  visits: number;
}

/** More than any run asks for: the limits are not what is tried here. */
const RESERVED = String(32 * 1024 ** 2);
const UNLIMITED = '1000000';

export async function startServices({
  folder,
  shifter,
  environment,
  access,
  replicas,
  visits,
}: ServiceOptions): Promise<Services> {
  const [first, second, dashboard] = await Promise.all([freePort(), freePort(), freePort()]);
  const settings = {
    ...environment,
    STRATUM_PREFIX: PLATFORM_PREFIX,
    STRATUM_REPLICAS: String(replicas),
    STRATUM_CREDENTIALS_KEY: access.credentialsKey,
    TASK_ACK_WAIT: String(ACK_WAIT_S),
    LOG_LEVEL: 'warn',
    // Small ones: reserved room counts as used.
    TASK_EVENTS_MAX_BYTES: RESERVED,
    CUSTOMER_EVENTS_MAX_BYTES: RESERVED,
    DOMAIN_EVENTS_MAX_BYTES: RESERVED,
    AUDIT_MAX_BYTES: RESERVED,
    API_RATE_LIMIT: UNLIMITED,
    INGEST_RATE_LIMIT: UNLIMITED,
    WEBHOOK_RATE_LIMIT: UNLIMITED,
  };
  const start = (name: string, service: string, own: NodeJS.ProcessEnv = {}): Immortal =>
    new Immortal({
      name,
      program: `services/${service}/dist/main.js`,
      folder,
      shifter,
      env: { ...settings, ...own },
    });
  const all = [
    start('api-0', 'api', { API_PORT: String(first) }),
    start('api-1', 'api', { API_PORT: String(second) }),
    start('cdp-worker-0', 'cdp-worker'),
    start('cdp-worker-1', 'cdp-worker'),
    start('default-worker', 'default-worker'),
    start('platform-scheduler', 'scheduler'),
    start('dashboard', 'dashboard', { DASHBOARD_PORT: String(dashboard) }),
  ];
  const visitor = new Immortal({
    name: 'visitor',
    program: 'test/dist/crash/platform/visitor-process.js',
    folder,
    shifter,
    env: {
      ...environment,
      CRASH_VISITS: String(visits),
      CRASH_APIS: [first, second].map((port) => `http://127.0.0.1:${port}`).join(','),
      CRASH_WRITE_KEY: access.writeKey,
      CRASH_API_KEY: access.apiKey,
      CRASH_WEBHOOK_PATH: access.webhookPath,
      CRASH_WEBHOOK_SECRET: access.webhookSecret,
    },
  });
  return { all, visitor };
}
