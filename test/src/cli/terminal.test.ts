/** What others chose never reaches the terminal as a command. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withTenant } from '@stratum/shared';
import { createApiKey } from '@stratum/shared/api-keys';
import { createSource } from '@stratum/shared/customer-events';
import { expect, test } from 'vitest';
import { openPlatform, TENANT } from '../harness/platform.js';
import { runStratum } from './stratum.js';

/** A title, a cleared screen, colour by a C1 sign, a link (OSC 8), a clipboard (OSC 52), reversed and hidden text, a line typed over. */
const SIGNS = [
  '\x1b]0;owned\x07',
  '\x1b[2J',
  '\x9b31m',
  '\x1b]8;;http://evil.example\x1b\\here',
  '\x9d52;c;cm0gLXJm\x9c',
  '\u202etxt',
  '\u2066isolated',
  'pay\u200bpal',
  '\ufeffAcme',
  'old\rX',
];
const HOSTILE = SIGNS.join(' ');
/** Everything that a terminal obeys, except the end of a line and a tab. */
const OBEYED = /(?![\n\t])\p{Cc}|[\u200b\u202a-\u202e\u2060-\u2069\ufeff]/u;

test('names with control characters are shown with escapes, as JSON is; new ones are refused', async () => {
  const { database, natsUrl, prefix } = await openPlatform();
  await withTenant(database.owner, TENANT, async (client) => {
    await createApiKey(client, { tenantId: TENANT, name: HOSTILE, scopes: ['tasks:read'] });
    await createSource(client, { name: HOSTILE });
  });
  const env = { NATS_URL: natsUrl, STRATUM_PREFIX: prefix, DATABASE_URL: database.url };
  for (const what of ['keys', 'sources']) {
    const shown = await runStratum([what, 'list', '--tenant', String(TENANT)], env);
    expect(shown.code, shown.stderr).toBe(0);
    expect(shown.stdout).toContain('\\u001b[2J');
    expect(shown.stdout).not.toMatch(OBEYED);
    const { stdout } = await runStratum([what, 'list', '--tenant', String(TENANT), '--json'], env);
    expect(stdout).not.toMatch(OBEYED);
    expect(JSON.stringify(JSON.parse(stdout))).toContain(JSON.stringify(HOSTILE));
    for (const name of SIGNS.map((sign) => `a${sign}b`)) {
      const refused = await runStratum([what, 'create', name, '--tenant', String(TENANT)], env);
      expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('control characters')]);
      expect(refused.stderr).not.toMatch(OBEYED);
    }
  }
});

const SOURCE = fileURLToPath(new URL('../../../packages/cli/src', import.meta.url));
/** They make what they print printable, or print our own words. */
const WRITERS = ['commands/completion.ts', 'confirm.ts', 'frame/frame.ts', 'terminal.ts'];

test('commands print through the console, or as data, and never past both', async () => {
  const names = await readdir(SOURCE, { recursive: true });
  const files = names.filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  const texts = await Promise.all(
    files.map(async (name) => [name, await readFile(join(SOURCE, name), 'utf8')] as const),
  );
  const writing = texts.filter(([, text]) =>
    /process\.std(?:out|err)\b(?!\.(?:isTTY|columns|on\b))/.test(text),
  );
  expect(writing.map(([name]) => name).toSorted()).toEqual(WRITERS);
});
