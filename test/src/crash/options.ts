/** What a run is asked for, and what it reports. */
import type { DatabaseServers } from './database-servers.js';
import type { Fault } from './faults.js';
import type { OlderVersion } from './older.js';

export interface CrashOptions {
  seed: number;
  tasks: number;
  /** Faults go on for so long, or until everything is enqueued, whichever is later, in milliseconds. */
  killForMs: number;
  natsBinary: string;
  /** 3 for a cluster of three servers, of which one at a time is killed. Default 1. */
  replicas?: number;
  /** More faults: servers that hang, are cut off or hand over their lead, a network that delays, loses and tears. */
  chaos?: boolean;
  /** The platform's own services take part, with visitors who use their API. */
  platform?: boolean;
  /** An older version that takes part. */
  older?: OlderVersion | undefined;
  /** All workers, schedulers and housekeeping begin with the older version, change to today's one by one, back, and forth again. */
  rolling?: boolean;
  /** An empty database. */
  databaseUrl: string;
  /** Its servers, where they belong to this run alone. */
  databaseServers?: DatabaseServers;
  log: (line: string) => void;
  /** Ends the run early: everything that it has started is stopped, and it rejects with the signal's reason. */
  signal?: AbortSignal;
}

export interface CrashReport {
  tasks: number;
  workflows: number;
  foreign: number;
  /** Requests to the API: customer events, webhooks, tasks. */
  visits: number;
  ticks: number;
  controls: number;
  faults: Record<Fault, number>;
  /** Processes that were started anew with another version. */
  rolled: number;
  /** By which the clocks were set. */
  clock: string;
  seconds: number;
  states: Record<string, number>;
  /** Empty when all is well. */
  violations: string[];
  /** Where the records, journals and logs of a failed run are. */
  kept?: string;
}

export interface Changes {
  readonly isDone: boolean;
  /** Number of changes. */
  readonly done: Promise<number>;
}
