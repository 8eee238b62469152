/** Processes that are started again whenever they end. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export class Immortal {
  private child: ChildProcess | undefined;
  private stopped = false;
  private finished = false;
  /** How often it has died. */
  deaths = 0;

  constructor(
    private readonly program: string,
    private readonly env: NodeJS.ProcessEnv,
  ) {
    this.spawn();
  }

  /** It has said that its work is done. */
  get isDone(): boolean {
    return this.finished;
  }

  kill(): void {
    this.child?.kill('SIGKILL');
  }

  async stop(): Promise<void> {
    this.stopped = true;
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  private spawn(): void {
    // The built file: a process of its own knows nothing of the sources.
    const path = fileURLToPath(new URL(`../../dist/crash/${this.program}`, import.meta.url));
    const child = fork(path, { env: { ...process.env, ...this.env }, execArgv: [] });
    this.child = child;
    child.on('message', () => {
      this.finished = true;
      this.stopped = true;
    });
    child.on('exit', () => {
      if (this.stopped) return;
      this.deaths++;
      this.spawn();
    });
  }
}
