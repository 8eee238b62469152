/** What is done to the processes, the broker and the database of a run. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { Broker } from './broker.js';
import type { DatabaseServers } from './database-servers.js';
import type { Links } from './links.js';
import { ACK_WAIT_MS } from './plan.js';
import type { Services } from './platform/services.js';
import type { Immortal } from './processes.js';

/** What a run may lack. `cluster`: with `chaos`, more than one server. */
export type Need = 'chaos' | 'cluster' | 'services' | 'databaseServers';

/** Each fault by its weight, and by what it needs. */
const FAULTS = {
  'worker killed': { weight: 30 },
  'producer killed': { weight: 10 },
  'foreign publisher killed': { weight: 5 },
  'scheduler killed': { weight: 10 },
  'housekeeping killed': { weight: 8 },
  'broker killed': { weight: 12 },
  'worker frozen': { weight: 5 },
  'worker restarted': { weight: 10 },
  'clock set': { weight: 12 },
  'database connections cut': { weight: 5 },
  'broker frozen': { weight: 6, needs: 'chaos' },
  'broker isolated': { weight: 6, needs: 'cluster' },
  'broker full': { weight: 6, needs: 'chaos' },
  'leader stepped down': { weight: 8, needs: 'cluster' },
  'link cut': { weight: 8, needs: 'chaos' },
  'link slow': { weight: 8, needs: 'chaos' },
  'link torn': { weight: 8, needs: 'chaos' },
  'service killed': { weight: 25, needs: 'services' },
  'service frozen': { weight: 8, needs: 'services' },
  'service restarted': { weight: 10, needs: 'services' },
  'visitor killed': { weight: 5, needs: 'services' },
  'database killed': { weight: 6, needs: 'databaseServers' },
  'database failed over': { weight: 8, needs: 'databaseServers' },
} as const satisfies Record<string, { weight: number; needs?: Need }>;
export type Fault = keyof typeof FAULTS;

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- keys of an object lose their names
export const FAULT_NAMES = Object.keys(FAULTS) as Fault[];

export interface Targets {
  broker: Broker;
  /** Only with `chaos`. */
  links: Links | undefined;
  /** Hands the lead of one stream to another server. */
  stepDown: (random: () => number) => Promise<void>;
  database: Pool;
  databaseServers: DatabaseServers | undefined;
  workers: readonly Immortal[];
  schedulers: readonly Immortal[];
  producers: readonly Immortal[];
  foreign: Immortal;
  housekeeping: Immortal;
  /** Only with `platform`. */
  services: Services | undefined;
  /** Processes whose clocks may be set. */
  clocks: readonly Immortal[];
}

/** How far a clock is set ahead, in seconds. */
const CLOCKS = [3_600, -3_600, 60, -60, 0];
/** More often than a task may lose its worker. */
const RESTARTS_IN_A_ROW = 10;

/** Those for which a run has what they need. */
export function possibleFaults(has: Readonly<Record<Need, boolean>>): Fault[] {
  return FAULT_NAMES.filter((fault) => {
    const { needs }: { weight: number; needs?: Need } = FAULTS[fault];
    return needs === undefined || has[needs];
  });
}

export function chooseFault(random: () => number, among: readonly Fault[]): Fault {
  const total = among.reduce((sum, fault) => sum + FAULTS[fault].weight, 0);
  let rest = random() * total;
  return among.find((fault) => (rest -= FAULTS[fault].weight) < 0) ?? 'worker killed';
}

export async function inflict(fault: Fault, targets: Targets, random: () => number): Promise<void> {
  const one = <T>(from: readonly T[]): T | undefined => from[Math.floor(random() * from.length)];
  switch (fault) {
    case 'worker killed':
      return one(targets.workers)?.kill();
    case 'producer killed':
      return one(targets.producers)?.kill();
    case 'foreign publisher killed':
      return targets.foreign.kill();
    case 'scheduler killed':
      return one(targets.schedulers)?.kill();
    case 'housekeeping killed':
      return targets.housekeeping.kill();
    case 'broker killed':
      return targets.broker.crash(random);
    case 'worker frozen':
      return one(targets.workers)?.freeze(random() * 2 * ACK_WAIT_MS);
    case 'worker restarted': {
      // One at a time, so that each of the others may get what this one hands back.
      for (let restart = 0; restart < RESTARTS_IN_A_ROW; restart++) {
        await one(targets.workers)?.restart();
        await delay(100 + random() * 400);
      }
      return;
    }
    case 'broker frozen':
      return targets.broker.freeze(random);
    case 'broker isolated':
      return targets.broker.isolate(random);
    case 'broker full':
      return targets.broker.fill(random);
    case 'leader stepped down':
      return targets.stepDown(random);
    case 'link cut':
      return targets.links?.cut(random);
    case 'link slow':
      return targets.links?.slow(random);
    case 'link torn':
      return targets.links?.tear(random);
    case 'service killed':
      return one(targets.services?.all ?? [])?.kill();
    case 'service frozen':
      return one(targets.services?.all ?? [])?.freeze(random() * 2 * ACK_WAIT_MS);
    case 'service restarted':
      return one(targets.services?.all ?? [])?.restart();
    case 'visitor killed':
      return targets.services?.visitor.kill();
    case 'database killed':
      return targets.databaseServers?.kill(random);
    case 'database failed over':
      return targets.databaseServers?.failOver();
    case 'clock set':
      return one(targets.clocks)?.setClock(one(CLOCKS) ?? 0);
    case 'database connections cut':
      // It may be away already, or end this session first.
      await targets.database
        .query(
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
        )
        .catch(() => undefined);
  }
}
