/** The processes of a run. */
import type { OlderVersion } from './older.js';
import type { Services } from './platform/services.js';
import { Immortal, type ImmortalOptions } from './processes.js';

export interface CastOptions {
  folder: string;
  shifter: ImmortalOptions['shifter'];
  older: OlderVersion | undefined;
  /** See `CrashOptions`. */
  rolling: boolean;
  environment: NodeJS.ProcessEnv;
  /** Of the platform, where they take part. */
  services: Services | undefined;
}

/** A process that changes between two versions. */
export interface Rolled {
  process: Immortal;
  today: Version;
  older: Version;
}
export type Version = Required<Pick<ImmortalOptions, 'env' | 'imports'>>;

export interface Processes {
  readonly workers: readonly Immortal[];
  readonly schedulers: readonly Immortal[];
  readonly producers: readonly Immortal[];
  readonly foreign: Immortal;
  readonly housekeeping: Immortal;
  readonly services: Services | undefined;
  /** Those whose clocks may be set. An older version follows its own, so it is left alone. */
  readonly clocks: readonly Immortal[];
  /** In the order of a deployment; none where nothing is rolled. */
  readonly rolled: readonly Rolled[];
  /** All producers have enqueued everything. */
  haveProduced(): boolean;
  /** Names of those that did not stop when they were asked to. */
  hung(): string[];
  stop(): Promise<void>;
}

const SKEW_SECONDS = 60;
const PROGRAMS = 'test/dist/crash';

export function startProcesses({
  folder,
  shifter,
  older,
  rolling,
  environment,
  services,
}: CastOptions): Processes {
  const rolled: Rolled[] = [];
  const start = (
    name: string,
    program: string,
    { env = {}, ...own }: Partial<Pick<ImmortalOptions, 'env' | 'imports' | 'aheadSeconds'>> = {},
  ): Immortal => new Immortal({ name, program, folder, shifter, env: { ...environment, ...env }, ...own });
  /** Of either version. An older one follows its own clock. */
  const startRolled = (
    name: string,
    program: string,
    { env = {}, ...own }: Partial<Pick<ImmortalOptions, 'env' | 'aheadSeconds'>> = {},
  ): Immortal => {
    if (!rolling || older === undefined) return start(name, program, { env, ...own });
    const today: Version = { env: { ...environment, ...env }, imports: [] };
    const former: Version = { env: { ...today.env, ...older.env }, imports: older.imports };
    const process = new Immortal({ name, program, folder, shifter, ...former });
    rolled.push({ process, today, older: former });
    return process;
  };
  const hasOlder = { CRASH_HAS_OLDER: older === undefined ? '0' : '1' };
  const old = older && { ...older, env: { ...older.env, ...hasOlder } };
  const ifOlder = (name: string, program: string): Immortal[] =>
    old === undefined ? [] : [start(name, program, old)];
  const housekeeping = startRolled('housekeeping', `${PROGRAMS}/housekeeping-process.js`);
  const workers = [
    startRolled('worker-0', `${PROGRAMS}/worker-process.js`),
    startRolled('worker-1', `${PROGRAMS}/worker-process.js`, { aheadSeconds: SKEW_SECONDS }),
    // Of another version, which does not know a task.
    startRolled('worker-2', `${PROGRAMS}/worker-process.js`, {
      aheadSeconds: -SKEW_SECONDS,
      env: { CRASH_LACKS_NEWCOMER: '1' },
    }),
  ];
  const schedulers = [
    startRolled('scheduler-0', `${PROGRAMS}/scheduler-process.js`),
    startRolled('scheduler-1', `${PROGRAMS}/scheduler-process.js`, { aheadSeconds: SKEW_SECONDS }),
  ];
  const producer = start('producer', `${PROGRAMS}/producer-process.js`, { env: hasOlder });
  const foreign = start('foreign', `${PROGRAMS}/foreign-process.js`);
  const clocks = [...(rolled.length > 0 ? [] : [...workers, ...schedulers, housekeeping]), producer];
  workers.push(...ifOlder('older-worker', `${PROGRAMS}/worker-process.js`));
  schedulers.push(...ifOlder('older-scheduler', `${PROGRAMS}/scheduler-process.js`));
  const producers = [producer, ...ifOlder('older-producer', `${PROGRAMS}/producer-process.js`)];
  const visitors = services === undefined ? [] : [services.visitor];
  const all = [
    ...workers,
    ...schedulers,
    ...producers,
    ...visitors,
    ...(services?.all ?? []),
    foreign,
    housekeeping,
  ];
  return {
    workers,
    schedulers,
    producers,
    foreign,
    housekeeping,
    clocks,
    rolled,
    services,
    haveProduced: () => [...producers, ...visitors, foreign].every(({ isDone }) => isDone),
    hung: () => all.filter(({ hung }) => hung).map(({ name }) => name),
    stop: async () => void (await Promise.all(all.map((each) => each.stop()))),
  };
}
