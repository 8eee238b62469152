/** Corrupted and missing archives, from a local download server. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { fetchRelease } from './release-archive.js';
import { runCommand } from './run-command.js';

const SCRIPT = '#!/bin/sh\necho nats-server: v2.12.6\n';
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stratum-release-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
});

/** Serves an archive that matches any requested name, and its checksum. */
async function serve(checksumOf: (archive: Buffer) => string): Promise<string> {
  // The client requests the sums together with the archive, and this server learns the name from that request.
  let tell: (archive: { file: string; body: Buffer }) => void;
  const asked = new Promise<{ file: string; body: Buffer }>((resolve) => (tell = resolve));
  const archiveFor = async (name: string): Promise<Buffer> => {
    const inner = join(folder, name);
    await mkdir(inner, { recursive: true });
    await writeFile(join(inner, 'nats-server'), SCRIPT);
    await chmod(join(inner, 'nats-server'), 0o755);
    await runCommand('tar', ['-czf', `${name}.tar.gz`, name], 10_000, folder);
    return readFile(join(folder, `${name}.tar.gz`));
  };
  const server = createServer((request, response) => {
    const name = basename(request.url ?? '');
    const answer = async (): Promise<void> => {
      if (name === 'SHA256SUMS') {
        const { file, body } = await asked;
        response.end(`${checksumOf(body)}  ${file}\n`);
        return;
      }
      const body = await archiveFor(name.replace('.tar.gz', ''));
      tell({ file: name, body });
      response.end(body);
    };
    void answer();
  });
  return listen(server);
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server listens on no port.');
  return `http://127.0.0.1:${address.port}`;
}

const sha256 = (body: Buffer): string => createHash('sha256').update(body).digest('hex');

test('the server is taken out of an archive whose checksum fits', async () => {
  const target = join(folder, 'bin', 'nats-server');
  await mkdir(join(folder, 'bin'));
  await fetchRelease(target, await serve(sha256));
  expect(await runCommand(target, [], 10_000)).toBe('nats-server: v2.12.6\n');
});

test('a wrong checksum is refused, and nothing is kept', async () => {
  const target = join(folder, 'nats-server');
  await expect(fetchRelease(target, await serve(() => sha256(Buffer.from('another'))))).rejects.toThrow(
    /checksum/,
  );
  await expect(readFile(target)).rejects.toThrow(/ENOENT/);
});

test('a missing archive is reported with its address', async () => {
  const server = createServer((_request, response) => response.writeHead(404).end());
  await expect(fetchRelease(join(folder, 'x'), await listen(server))).rejects.toThrow(/answered 404/);
});
