/** The processes of a run. */
import type { OlderVersion } from './older.js';
import { Immortal, type ImmortalOptions } from './processes.js';

export interface CastOptions {
  folder: string;
  shifter: ImmortalOptions['shifter'];
  older: OlderVersion | undefined;
  environment: NodeJS.ProcessEnv;
}

export interface Processes {
  readonly workers: readonly Immortal[];
  readonly schedulers: readonly Immortal[];
  readonly producers: readonly Immortal[];
  readonly foreign: Immortal;
  readonly housekeeping: Immortal;
  /** Those whose clocks may be set. An older version follows its own, so it is left alone. */
  readonly clocks: readonly Immortal[];
  /** All producers have enqueued everything. */
  haveProduced(): boolean;
  /** Names of those that did not stop when they were asked to. */
  hung(): string[];
  stop(): Promise<void>;
}

const SKEW_SECONDS = 60;

export function startProcesses({ folder, shifter, older, environment }: CastOptions): Processes {
  const start = (
    name: string,
    program: string,
    { env = {}, ...own }: Partial<Pick<ImmortalOptions, 'env' | 'imports' | 'aheadSeconds'>> = {},
  ): Immortal => new Immortal({ name, program, folder, shifter, env: { ...environment, ...env }, ...own });
  const hasOlder = { CRASH_HAS_OLDER: older === undefined ? '0' : '1' };
  const old = older && { ...older, env: { ...older.env, ...hasOlder } };
  const ifOlder = (name: string, program: string): Immortal[] =>
    old === undefined ? [] : [start(name, program, old)];
  const workers = [
    start('worker-0', 'worker-process.js'),
    start('worker-1', 'worker-process.js', { aheadSeconds: SKEW_SECONDS }),
    // Of another version, which does not know a task.
    start('worker-2', 'worker-process.js', {
      aheadSeconds: -SKEW_SECONDS,
      env: { CRASH_LACKS_NEWCOMER: '1' },
    }),
  ];
  const schedulers = [
    start('scheduler-0', 'scheduler-process.js'),
    start('scheduler-1', 'scheduler-process.js', { aheadSeconds: SKEW_SECONDS }),
  ];
  const producer = start('producer', 'producer-process.js', { env: hasOlder });
  const foreign = start('foreign', 'foreign-process.js');
  const housekeeping = start('housekeeping', 'housekeeping-process.js');
  const clocks = [...workers, ...schedulers, producer, housekeeping];
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
    haveProduced: () => [...producers, foreign].every(({ isDone }) => isDone),
    hung: () => all.filter(({ hung }) => hung).map(({ name }) => name),
    stop: async () => void (await Promise.all(all.map((each) => each.stop()))),
  };
}
