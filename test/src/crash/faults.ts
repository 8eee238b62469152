/** What is done to the processes, the broker and the database of a run. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { Broker } from './broker.js';
import type { DatabaseServers } from './database-servers.js';
import type { Links } from './links.js';
import { ACK_WAIT_MS } from './plan.js';
import type { Services } from './platform/services.js';
import type { Immortal } from './processes.js';

/** What a run without `chaos` leaves out. */
export const CHAOS = [
  'broker frozen',
  'broker isolated',
  'broker full',
  'leader stepped down',
  'link cut',
  'link slow',
  'link torn',
] as const;

/** What a run without `platform` leaves out. */
export const OF_SERVICES = [
  'service killed',
  'service frozen',
  'service restarted',
  'visitor killed',
] as const;

/** What needs database servers of the run's own. */
export const OF_DATABASE_SERVERS = ['database killed', 'database failed over'] as const;

export const FAULTS = [
  'worker killed',
  'producer killed',
  'foreign publisher killed',
  'scheduler killed',
  'housekeeping killed',
  'broker killed',
  'worker frozen',
  'worker restarted',
  'clock set',
  'database connections cut',
  ...CHAOS,
  ...OF_SERVICES,
  ...OF_DATABASE_SERVERS,
] as const;
export type Fault = (typeof FAULTS)[number];

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

const WEIGHTS: Record<Fault, number> = {
  'worker killed': 30,
  'producer killed': 10,
  'foreign publisher killed': 5,
  'scheduler killed': 10,
  'housekeeping killed': 8,
  'broker killed': 12,
  'worker frozen': 5,
  'worker restarted': 10,
  'clock set': 12,
  'database connections cut': 5,
  'broker frozen': 6,
  'broker isolated': 6,
  'broker full': 6,
  'leader stepped down': 8,
  'link cut': 8,
  'link slow': 8,
  'link torn': 8,
  'service killed': 25,
  'service frozen': 8,
  'service restarted': 10,
  'visitor killed': 5,
  'database killed': 6,
  'database failed over': 8,
};
/** How far a clock is set ahead, in seconds. */
const CLOCKS = [3_600, -3_600, 60, -60, 0];
/** More often than a task may lose its worker. */
const RESTARTS_IN_A_ROW = 10;

export function chooseFault(random: () => number, among: readonly Fault[]): Fault {
  const total = among.reduce((sum, fault) => sum + WEIGHTS[fault], 0);
  let rest = random() * total;
  return among.find((fault) => (rest -= WEIGHTS[fault]) < 0) ?? 'worker killed';
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
