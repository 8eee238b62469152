/** Checks that ports are free before a server needs them. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { PortSetting } from './port-settings.js';

export interface WantedPort extends Pick<PortSetting, 'part' | 'flag'> {
  /** 0 is any free port and always free. */
  port: number;
}

const HOST = '127.0.0.1';

/** Throws a line for each port that is taken, and the command that chooses others for all of them. */
export async function requireFreePorts(wanted: readonly WantedPort[]): Promise<void> {
  const problems: string[] = [];
  const flags: string[] = [];
  for (const { part, port, flag } of wanted) {
    const fault = port === 0 ? undefined : await listenFault(port);
    if (fault === undefined) continue;
    problems.push(
      fault === 'EADDRINUSE'
        ? `Port ${port} is in use, and ${part} needs it.`
        : `Port ${port} cannot be opened for ${part} (${fault}).`,
    );
    flags.push(`${flag} 0`);
  }
  if (problems.length === 0) return;
  throw new Error(
    [
      ...problems,
      `See what listens there (ss -ltnp, or lsof -i), or choose other ports (0: any free one): npm start -- ${flags.join(' ')}`,
    ].join('\n'),
  );
}

async function listenFault(port: number): Promise<string | undefined> {
  const server = createServer();
  try {
    server.listen(port, HOST);
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
    return undefined;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
  }
}
