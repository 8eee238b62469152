/** The local stack's own key for credentials at rest: made once, kept under `.stratum/`, readable by its owner alone. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { homeFolder } from './home.js';

const KEY_BYTES = 32;
const keyFile = (): string => join(homeFolder(), 'credentials.key');

export async function readCredentialsKey(): Promise<string | undefined> {
  try {
    return (await readFile(keyFile(), 'utf8')).trim();
  } catch {
    return undefined;
  }
}

export async function ensureCredentialsKey(): Promise<string> {
  const present = await readCredentialsKey();
  if (present !== undefined) return present;
  const key = `local:${randomBytes(KEY_BYTES).toString('base64')}`;
  await mkdir(dirname(keyFile()), { recursive: true });
  await writeFile(keyFile(), `${key}\n`, { mode: 0o600, flag: 'wx' });
  return key;
}
