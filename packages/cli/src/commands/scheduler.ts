import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { localEnvironment } from '../environment.js';

export function schedulerCommand(): Command {
  return new Command('scheduler')
    .description('Run a scheduler in the foreground; besides another one it waits to take over.')
    .action(async () => {
      const main = fileURLToPath(import.meta.resolve('@stratum/scheduler/main'));
      const child = spawn(process.execPath, [main], { env: await localEnvironment(), stdio: 'inherit' });
      // Ctrl-C reaches the child by itself; it is for the child to end first.
      process.on('SIGINT', () => undefined);
      process.on('SIGTERM', () => child.kill('SIGTERM'));
      const [code]: unknown[] = await once(child, 'exit');
      process.exitCode = typeof code === 'number' ? code : 1;
    });
}
