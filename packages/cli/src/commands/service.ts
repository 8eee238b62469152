import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { mainModule, type ServiceName } from '@stratum/shared';
import { Command } from 'commander';
import { localEnvironment } from '../environment.js';

export function schedulerCommand(): Command {
  return serviceCommand(
    'scheduler',
    'Run a scheduler in the foreground; besides another one it waits to take over.',
  );
}

export function apiCommand(): Command {
  return serviceCommand('api', 'Run the HTTP API in the foreground.');
}

/** A service as a child of this process, against the local stack where the environment names nothing else. */
function serviceCommand(name: ServiceName, description: string): Command {
  return new Command(name)
    .description(description)
    .addHelpText('after', `\nExample:\n  stratum ${name}`)
    .action(async () => {
      const child = spawn(process.execPath, [fileURLToPath(import.meta.resolve(mainModule(name)))], {
        env: await localEnvironment(),
        stdio: 'inherit',
      });
      // Ctrl-C reaches the child by itself; it is for the child to end first.
      process.on('SIGINT', () => undefined);
      process.on('SIGTERM', () => child.kill('SIGTERM'));
      const [code]: unknown[] = await once(child, 'exit');
      process.exitCode = typeof code === 'number' ? code : 1;
    });
}
