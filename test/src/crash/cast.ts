/** The processes of a run. */
import type { OlderVersion } from './older.js';
import { Immortal, type ImmortalOptions } from './processes.js';

export interface CastOptions {
  folder: string;
  shifter: ImmortalOptions['shifter'];
  older: OlderVersion | undefined;
  /** See `CrashOptions`. */
  rolling: boolean;
  environment: NodeJS.ProcessEnv;
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

export function startProcesses({ folder, shifter, older, rolling, environment }: CastOptions): Processes {
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
  const housekeeping = startRolled('housekeeping', 'housekeeping-process.js');
  const workers = [
    startRolled('worker-0', 'worker-process.js'),
    startRolled('worker-1', 'worker-process.js', { aheadSeconds: SKEW_SECONDS }),
    // Of another version, which does not know a task.
    startRolled('worker-2', 'worker-process.js', {
      aheadSeconds: -SKEW_SECONDS,
      env: { CRASH_LACKS_NEWCOMER: '1' },
    }),
  ];
  const schedulers = [
    startRolled('scheduler-0', 'scheduler-process.js'),
    startRolled('scheduler-1', 'scheduler-process.js', { aheadSeconds: SKEW_SECONDS }),
  ];
  const producer = start('producer', 'producer-process.js', { env: hasOlder });
  const foreign = start('foreign', 'foreign-process.js');
  const clocks = [...(rolled.length > 0 ? [] : [...workers, ...schedulers, housekeeping]), producer];
  workers.push(...ifOlder('older-worker', 'worker-process.js'));
  schedulers.push(...ifOlder('older-scheduler', 'scheduler-process.js'));
  const producers = [producer, ...ifOlder('older-producer', 'producer-process.js')];
  const all = [...workers, ...schedulers, ...producers, foreign, housekeeping];
  return {
    workers,
    schedulers,
    producers,
    foreign,
    housekeeping,
    clocks,
    rolled,
    haveProduced: () => [...producers, foreign].every(({ isDone }) => isDone),
    hung: () => all.filter(({ hung }) => hung).map(({ name }) => name),
    stop: async () => void (await Promise.all(all.map((each) => each.stop()))),
  };
}
