/** Processes that are started again whenever they end, each with a clock of its own and its output in a file. */
import { fork, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createWriteStream, rmSync, writeFileSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export interface ImmortalOptions {
  name: string;
  /** From the repository's root: the built file, because a process of its own knows nothing of the sources. */
  program: string;
  env: NodeJS.ProcessEnv;
  /** Of its log and its clock. */
  folder: string;
  /** The program that shifts its clock; see `clock.ts`. */
  shifter: (clock: string) => { env: NodeJS.ProcessEnv; imports: readonly string[] };
  /** How far its clock is ahead, in seconds. Default 0. */
  aheadSeconds?: number;
  /** Modules that are loaded before the program. */
  imports?: readonly string[];
}

/** A program asked to stop may take this long, in milliseconds: the grace of Kubernetes. */
const STOP_MS = 30_000;

export class Immortal {
  private child: ChildProcess | undefined;
  private stopped = false;
  private finished = false;
  private isReady = false;
  private startedAt = 0;
  /** It is left alone until then, on the monotonic clock. */
  private spareUntil = 0;
  private readonly changes = new EventEmitter();
  private readonly clock: string;
  private readonly log: WriteStream;
  /** Set when it did not stop although it was asked to. */
  hung = false;

  constructor(private options: ImmortalOptions) {
    this.clock = join(options.folder, `${options.name}.clock`);
    this.log = createWriteStream(join(options.folder, `${options.name}.log`), { flags: 'a' });
    this.setClock(options.aheadSeconds ?? 0);
    this.spawn();
  }

  get name(): string {
    return this.options.name;
  }

  get pid(): number {
    return this.child?.pid ?? 0;
  }

  /** It has said that its work is done. */
  get isDone(): boolean {
    return this.finished;
  }

  /**
   * Resolves once it has worked for as long as it took to start: on a busy machine that is seconds, and a process that never works proves
   * nothing.
   */
  async ready(): Promise<void> {
    while (!this.stopped) {
      const spareMs = this.spareUntil - performance.now();
      if (this.isReady && spareMs <= 0) return;
      if (this.isReady) await delay(spareMs);
      else await once(this.changes, 'change');
    }
  }

  /** It is started with these from the next time on. */
  become(version: Required<Pick<ImmortalOptions, 'env' | 'imports'>>): void {
    this.options = { ...this.options, ...version };
  }

  /** Kills it at once, or when it has started. */
  async kill(): Promise<void> {
    await this.ready();
    this.child?.kill('SIGKILL');
  }

  /** Asks it to stop, and waits until the next one is started. */
  async restart(): Promise<void> {
    await this.ready();
    const { child } = this;
    if (child === undefined || hasEnded(child)) return;
    child.kill('SIGTERM');
    const ended = once(child, 'exit').then(() => true);
    if (await Promise.race([ended, delay(STOP_MS, false, { ref: false })])) return;
    this.hung = true;
    child.kill('SIGKILL');
  }

  /** It hangs, and goes on later. */
  async freeze(milliseconds: number): Promise<void> {
    await this.ready();
    const { child } = this;
    child?.kill('SIGSTOP');
    await delay(milliseconds);
    child?.kill('SIGCONT');
  }

  /** Sets its wall clock, as an administrator or a time service would. */
  setClock(aheadSeconds: number): void {
    writeFileSync(this.clock, `${aheadSeconds < 0 ? '' : '+'}${aheadSeconds}\n`);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.changes.emit('change');
    const { child } = this;
    if (child !== undefined && !hasEnded(child)) {
      child.kill('SIGCONT');
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    this.log.end();
  }

  private spawn(): void {
    const { program, env, shifter, imports = [] } = this.options;
    const path = fileURLToPath(new URL(`../../../${program}`, import.meta.url));
    const shift = shifter(this.clock);
    const child = fork(path, {
      env: { ...process.env, ...env, ...shift.env },
      execArgv: [...shift.imports, ...imports].flatMap((module) => ['--import', module]),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.child = child;
    this.startedAt = performance.now();
    for (const stream of [child.stdout, child.stderr]) stream?.pipe(this.log, { end: false });
    child.on('message', (message) => {
      if (message === 'done') this.finished = this.stopped = true;
      this.isReady = true;
      this.spareUntil = performance.now() + (performance.now() - this.startedAt);
      this.changes.emit('change');
    });
    child.on('exit', (code, signal) => {
      this.isReady = false;
      removeClockFiles(child);
      if (this.stopped) return;
      this.log.write(`ended: ${signal ?? code}\n`);
      this.spawn();
    });
  }
}

/** libfaketime leaves its shared memory behind when its process is killed. */
function removeClockFiles({ pid }: ChildProcess): void {
  for (const name of [`faketime_shm_${pid}`, `sem.faketime_sem_${pid}`])
    rmSync(join('/dev/shm', name), { force: true });
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
