import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { mainModule, type ServiceName } from '@stratum/shared';
import { localEnvironment } from '../environment.js';

/** Runs a service as a child of this process, against the local stack where the environment names nothing else. */
export async function runService(
  name: ServiceName,
  { checkConfig = false }: { checkConfig?: boolean } = {},
): Promise<void> {
  const words = checkConfig ? ['--check-config'] : [];
  const child = spawn(process.execPath, [fileURLToPath(import.meta.resolve(mainModule(name))), ...words], {
    env: await localEnvironment(),
    // The channel ends the child also when this process is killed.
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  // The child ends first. A terminal's Ctrl-C reaches it by itself; hearing it twice does no harm.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => child.kill('SIGTERM'));
  const [code]: unknown[] = await once(child, 'exit');
  process.exitCode = typeof code === 'number' ? code : 1;
}
