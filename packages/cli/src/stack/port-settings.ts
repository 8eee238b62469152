/** The ports of the local stack: set by an option or a variable, else those of the last start, else the standard ones. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { homeFolder } from './home.js';

export interface PortSetting {
  flag: string;
  variable: string;
  /** The server that listens there. */
  part: string;
  standard: number;
}

export const PORTS = {
  natsPort: { flag: '--nats-port', variable: 'STRATUM_NATS_PORT', part: 'the NATS server', standard: 4222 },
  natsMonitorPort: {
    flag: '--nats-monitor-port',
    variable: 'STRATUM_NATS_MONITOR_PORT',
    part: 'the monitoring of the NATS server',
    standard: 8222,
  },
  databasePort: {
    flag: '--database-port',
    variable: 'STRATUM_DATABASE_PORT',
    part: 'PostgreSQL',
    standard: 54_320,
  },
  sandboxPort: {
    flag: '--sandbox-port',
    variable: 'STRATUM_SANDBOX_PORT',
    part: 'the sandbox',
    standard: 8100,
  },
  apiPort: { flag: '--api-port', variable: 'STRATUM_API_PORT', part: 'the HTTP API', standard: 8000 },
  dashboardPort: {
    flag: '--dashboard-port',
    variable: 'STRATUM_DASHBOARD_PORT',
    part: 'the dashboard',
    standard: 5555,
  },
} as const satisfies Record<string, PortSetting>;

export type PortKey = keyof typeof PORTS;
export type Ports = Record<PortKey, number>;

const portsFile = (): string => join(homeFolder(), 'ports.json');

/**
 * @param given by options; 0 is any free port
 * @throws Error naming an environment variable that is not a port
 */
export async function choosePorts(given: Partial<Ports>): Promise<Ports> {
  const last = await readPorts();
  const choose = (key: PortKey): number =>
    given[key] ?? fromEnvironment(PORTS[key].variable) ?? last[key] ?? PORTS[key].standard;
  return {
    natsPort: choose('natsPort'),
    natsMonitorPort: choose('natsMonitorPort'),
    databasePort: choose('databasePort'),
    sandboxPort: choose('sandboxPort'),
    apiPort: choose('apiPort'),
    dashboardPort: choose('dashboardPort'),
  };
}

/** For the next start: addresses that users have copied remain valid. An address is `null` where the stack runs no server of its own. */
export async function rememberPorts(addresses: Readonly<Record<PortKey, string | null>>): Promise<void> {
  const ports = Object.entries(addresses).flatMap(([key, address]) => {
    const port = address === null ? 0 : Number(new URL(address).port);
    return port > 0 ? [[key, port] as const] : [];
  });
  const all = { ...(await readPorts()), ...Object.fromEntries(ports) };
  await mkdir(homeFolder(), { recursive: true });
  await writeFile(portsFile(), `${JSON.stringify(all, undefined, 2)}\n`);
}

function fromEnvironment(variable: string): number | undefined {
  const text = process.env[variable];
  if (!text) return undefined;
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new Error(`${variable} must be a port from 0 to 65535, not "${text}".`);
}

/** A missing or damaged file means that no port is known. */
async function readPorts(): Promise<Partial<Ports>> {
  try {
    const found: unknown = JSON.parse(await readFile(portsFile(), 'utf8'));
    if (typeof found !== 'object' || found === null) return {};
    return Object.fromEntries(Object.entries(found).filter(([key, port]) => key in PORTS && isPort(port)));
  } catch {
    return {};
  }
}

function isPort(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= 65_535;
}
