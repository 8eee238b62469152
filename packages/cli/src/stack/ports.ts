/** Says who is in the way before a server stumbles over it. */
import { once } from 'node:events';
import { createServer } from 'node:net';

export interface WantedPort {
  /** What wants to listen there. */
  part: string;
  /** 0 is any free port and always free. */
  port: number;
  /** The flag that chooses another one. */
  flag: string;
}

const HOST = '127.0.0.1';

/** Throws one sentence for each port that is taken. */
export async function requireFreePorts(wanted: readonly WantedPort[]): Promise<void> {
  const problems: string[] = [];
  for (const { part, port, flag } of wanted) {
    const fault = port === 0 ? undefined : await listenFault(port);
    if (fault === 'EADDRINUSE') {
      problems.push(
        `Port ${port} is in use, and ${part} needs it. Stop what listens there (see: ss -ltnp 'sport = :${port}'), or choose another port: npm start -- ${flag} <port>`,
      );
    } else if (fault !== undefined) {
      problems.push(
        `Port ${port} cannot be opened for ${part} (${fault}). Choose another one: npm start -- ${flag} <port>`,
      );
    }
  }
  if (problems.length > 0) throw new Error(problems.join('\n'));
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
