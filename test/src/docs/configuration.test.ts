/** Every setting of every service is in the configuration guide or, for an ad platform, on the page that is written from its definition. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sandboxSettingsSchema } from '@stratum/sandbox';
import { CONFIGURATION_KEYS, loadConfiguration, type ConfigurationKey } from '@stratum/shared';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');
/** Of the operating system, the shell and the CI. */
const NOT_OURS = new Set(['CI', 'HOME', 'PATH']);
/** Defaults that the guide describes, where there is none to write. */
const DESCRIBED = /^(|required.*|now|as it listens|the platform.*)$/;

/** Name and default of each row of the guide's tables, and of each address of an ad platform. */
function guide(): Map<string, string> {
  const read = (page: string): string => readFileSync(join(ROOT, 'docs/reference', page), 'utf8');
  const rows = [
    ...read('configuration.md').matchAll(/^\| `([A-Z_]+)` *\| *([^|]*?) *\|/gm),
    ...read('ad-platforms.md').matchAll(/^- `([A-Z_]+)`, default `(.+?)`:/gm),
  ];
  return new Map(rows.map(([, name = '', standard = '']) => [name, standard.replaceAll('`', '')]));
}

/** Variables that programs read by themselves, without the schema of the configuration. */
function readDirectly(): string[] {
  const folders = ['packages', 'services']
    .flatMap((group) => readdirSync(join(ROOT, group)).map((name) => join(ROOT, group, name, 'src')))
    .concat(join(ROOT, 'test/src/harness'));
  const texts = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
      .map((file) => readFileSync(join(folder, file), 'utf8')),
  );
  const names = texts.flatMap((text) =>
    [...text.matchAll(/process\.env\['([A-Z_]+)'\]|variable: '([A-Z_]+)'/g)].map(
      ([, read, declared]) => read ?? declared ?? '',
    ),
  );
  return names.filter((name) => !NOT_OURS.has(name));
}

test('the guide has each setting, and no other', () => {
  const known = new Set([
    ...CONFIGURATION_KEYS,
    ...Object.keys(sandboxSettingsSchema.shape),
    ...readDirectly(),
  ]);
  expect([...guide().keys()].toSorted()).toEqual([...known].toSorted());
});

/** The value of a setting: as its variable says, or by default. */
function valueOf(key: ConfigurationKey, text?: string): unknown {
  try {
    return loadConfiguration([key], text === undefined ? {} : { [key]: text })[key];
  } catch {
    return 'required';
  }
}

test.each(CONFIGURATION_KEYS)('the default of %s is the one in the guide', (key) => {
  const standard = guide().get(key) ?? '';
  if (standard.startsWith('required')) expect(valueOf(key)).toBe('required');
  else if (DESCRIBED.test(standard)) expect(valueOf(key)).not.toBe('required');
  else expect(valueOf(key)).toEqual(valueOf(key, standard));
});

test('the defaults of the sandbox are those in the guide', () => {
  const settings = guide();
  const written = Object.keys(sandboxSettingsSchema.shape).map((key) => [key, settings.get(key)]);
  expect(sandboxSettingsSchema.parse(Object.fromEntries(written))).toEqual(sandboxSettingsSchema.parse({}));
});
