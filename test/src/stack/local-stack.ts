/** The local stack as a person runs it: the `stratum` program, a home folder and ports of its own. */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, inject, onTestFinished } from 'vitest';
import { z } from 'zod';
import { dataFolder, spawnProgram, startProgram, waitFor, type SpawnedProgram } from '../harness/index.js';

const START_TIMEOUT_MS = 180_000;
const STRATUM = 'packages/cli/bin/stratum.js';
export const ANY_PORTS = ['nats', 'nats-monitor', 'database', 'sandbox', 'api', 'dashboard'].flatMap(
  (part) => [`--${part}-port`, '0'],
);

const addressesSchema = z.object({
  nats: z.string(),
  nats_monitor: z.string(),
  database: z.string(),
  sandbox: z.string(),
  api: z.string(),
  dashboard: z.string(),
  pid: z.int(),
});
export type RunningAddresses = z.infer<typeof addressesSchema>;

export interface RunningStack {
  readonly stack: LocalStack;
  readonly up: SpawnedProgram;
  readonly addresses: RunningAddresses;
}

export class LocalStack {
  private constructor(readonly home: string) {}

  /** Removed when the test ends. */
  static async create(): Promise<LocalStack> {
    const stack = new LocalStack(await dataFolder('stratum-home-'));
    onTestFinished(() => stack.remove());
    return stack;
  }

  /** Up while the tests of a file or a group run, one after the other. */
  static running(): () => RunningStack {
    let stack: LocalStack | undefined;
    let running: RunningStack | undefined;
    beforeAll(async () => {
      stack = new LocalStack(await dataFolder('stratum-home-'));
      const up = startProgram(STRATUM, stack.environment, ['up', ...ANY_PORTS]);
      running = { stack, up, addresses: await stack.started(up) };
    }, START_TIMEOUT_MS);
    afterAll(async () => {
      await running?.up.kill('SIGINT');
      await stack?.remove();
    });
    return () => {
      if (running === undefined) throw new Error('The stack is not up.');
      return running;
    };
  }

  /** With the processes that a failed test has left running. */
  private async remove(): Promise<void> {
    for (const pid of await this.processes()) process.kill(pid, 'SIGKILL');
    await waitFor('the processes to end', async () => (await this.processes()).length === 0);
    await rm(this.home, { recursive: true, force: true });
  }

  get environment(): NodeJS.ProcessEnv {
    return { STRATUM_HOME: this.home, NATS_SERVER_BIN: inject('natsBinary') };
  }

  /** Runs `stratum <args>`. */
  run(args: readonly string[], env: NodeJS.ProcessEnv = {}): SpawnedProgram {
    return spawnProgram(STRATUM, { ...this.environment, ...env }, args);
  }

  /** Runs `stratum up`, by default on any free ports. */
  up(args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): SpawnedProgram {
    return this.run(['up', ...ANY_PORTS, ...args], env);
  }

  /** Resolves once the first sync is done and the table printed. */
  async started(program: SpawnedProgram): Promise<RunningAddresses> {
    await waitFor(
      'the stack to be up',
      () => {
        if (program.hasEnded()) throw new Error(`It ended: ${program.output()}`);
        return program.output().includes('Ctrl-C stops everything');
      },
      START_TIMEOUT_MS,
    );
    return addressesSchema.parse(JSON.parse(await readFile(join(this.home, 'run.json'), 'utf8')));
  }

  /** Every process that was started with this home folder, from the kernel's own list. */
  async processes(): Promise<number[]> {
    const found: number[] = [];
    for (const entry of await readdir('/proc')) {
      if (!/^\d+$/.test(entry)) continue;
      const environment = await readFile(`/proc/${entry}/environ`, 'utf8').catch(() => '');
      if (environment.includes(`STRATUM_HOME=${this.home}\0`)) found.push(Number(entry));
    }
    return found;
  }
}
