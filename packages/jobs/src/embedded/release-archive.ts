/** Extracts nats-server from its official release archive after verifying the checksum. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { placeBinary } from './debian-package.js';
import { runCommand } from './run-command.js';

const VERSION = '2.12.6';
const DOWNLOADS = `https://github.com/nats-io/nats-server/releases/download/v${VERSION}`;
const DOWNLOAD_TIMEOUT_MS = 120_000;
const UNPACK_TIMEOUT_MS = 60_000;

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', arm: 'arm7' };

/**
 * Creates the server at `target`. Rejects for a platform without an archive and for a checksum mismatch.
 * @param downloads base URL of the archives and `SHA256SUMS`
 */
export async function fetchRelease(target: string, downloads: string = DOWNLOADS): Promise<void> {
  const architecture = ARCHITECTURES[process.arch];
  if (architecture === undefined || !['linux', 'darwin'].includes(process.platform)) {
    throw new Error(`there is no release archive for ${process.platform} on ${process.arch}`);
  }
  const name = `nats-server-v${VERSION}-${process.platform}-${architecture}`;
  const archive = `${name}.tar.gz`;
  const [sums, body] = await Promise.all([
    download(`${downloads}/SHA256SUMS`),
    download(`${downloads}/${archive}`),
  ]);
  verifyChecksum(sums.toString('utf8'), archive, body);
  const folder = await mkdtemp(join(tmpdir(), 'stratum-nats-'));
  try {
    await writeFile(join(folder, archive), body);
    await runCommand('tar', ['-xzf', archive], UNPACK_TIMEOUT_MS, folder);
    await placeBinary(join(folder, name, 'nats-server'), target);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function verifyChecksum(sums: string, archive: string, body: Buffer): void {
  const line = sums.split('\n').find((entry) => entry.trim().endsWith(archive));
  const expected = line?.trim().split(/\s+/, 1)[0];
  const actual = createHash('sha256').update(body).digest('hex');
  if (expected !== actual) throw new Error(`the checksum of ${archive} does not match SHA256SUMS`);
}

async function download(url: string): Promise<Buffer> {
  const response = await fetch(url, { signal: AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
}
