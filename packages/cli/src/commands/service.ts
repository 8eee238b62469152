import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { mainModule, type ServiceName } from '@stratum/shared';
import { localEnvironment } from '../environment.js';

/** Runs a service as a child of this process, against the local stack where the environment names nothing else. */
export async function runService(name: ServiceName): Promise<void> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.resolve(mainModule(name)))], {
    env: await localEnvironment(),
    stdio: 'inherit',
  });
  // Ctrl-C reaches the child by itself, and the child ends first.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const [code]: unknown[] = await once(child, 'exit');
  process.exitCode = typeof code === 'number' ? code : 1;
}
