/** No file of the repository contains what looks like a secret that works somewhere. */
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');
const MAX_BYTES = 2 * 1024 * 1024;

/** Formats that their issuers document, and our own. Examples in the repository are shorter, or made at run time. */
const SECRETS: Readonly<Record<string, RegExp>> = {
  'private key': /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s*[A-Za-z0-9+/]{20}/,
  'NATS seed': /\bS[UAONCX][A-Z2-7]{56}\b/,
  'API key of Stratum': /\bsk_[a-z0-9]{16}_[A-Za-z0-9_-]{43}\b/,
  'key ring': /\b[A-Za-z0-9_-]{1,32}:[A-Za-z0-9+/]{43}=/,
  'AWS access key': /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/,
  'GitHub token': /\bgh[pousr]_[A-Za-z0-9]{36}\b|\bgithub_pat_[A-Za-z0-9_]{60}/,
  'npm token': /\bnpm_[A-Za-z0-9]{36}\b/,
  'Slack token': /\bxox[abprs]-[A-Za-z0-9-]{20}/,
  'Stripe key': /\b[rs]k_live_[A-Za-z0-9]{20}/,
  'Google API key': /\bAIza[0-9A-Za-z_-]{35}\b/,
  'Meta access token': /\bEAA[A-Za-z0-9]{80}/,
  'JSON web token': /\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}/,
};

function namesIn(text: string): string[] {
  return Object.entries(SECRETS).flatMap(([name, pattern]) => (pattern.test(text) ? [name] : []));
}

test('the repository contains no secrets', () => {
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' })
    .split('\0')
    // The lock file has the checksums of packages.
    .filter((file) => file !== '' && file !== 'pnpm-lock.yaml');
  expect(files.length).toBeGreaterThan(500);
  const secrets = files.flatMap((file) => {
    const path = join(ROOT, file);
    const found = statSync(path, { throwIfNoEntry: false });
    // Removed in the work tree only, a link to a folder, or too large to be a text.
    if (found?.isFile() !== true || found.size > MAX_BYTES) return [];
    return namesIn(readFileSync(path, 'utf8')).map((name) => `${file}: ${name}`);
  });
  expect(secrets).toEqual([]);
});

test('each kind is recognised', () => {
  const random = (length: number): string => 'Q7'.repeat(length).slice(0, length);
  for (const [name, text] of [
    ['NATS seed', `SU${random(56).replaceAll('7', 'B')}`],
    ['API key of Stratum', `sk_${'a1'.repeat(8)}_${random(43)}`],
    ['key ring', `k1:${random(43)}=`],
    ['GitHub token', `ghp_${random(36)}`],
    ['AWS access key', `AKIA${random(16)}`],
    ['private key', ['-----BEGIN PRIVATE', `KEY-----\n${random(64)}`].join(' ')],
  ] as const)
    expect(namesIn(text), name).toContain(name);
});
