/** An ad platform is declared in one place: everything else asks its definition. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { PLATFORM_NAMES } from '@stratum/connectors/ad-platforms';
import { expect, test } from 'vitest';
import { testDatabase } from '../harness/index.js';

const ROOT = join(import.meta.dirname, '../../..');

/** Places whose subject is one platform, or the simulation of all of them. */
const ABOUT_A_PLATFORM: readonly RegExp[] = [
  // The definition itself, and the registry that names it.
  new RegExp(`^packages/connectors/src/ad-platforms/(${PLATFORM_NAMES.join('|')})/`),
  /^packages\/connectors\/src\/ad-platforms\/platforms\.ts$/,
  // The simulation is written from the platforms' documents, not from our clients.
  /^services\/sandbox\//,
  /^packages\/cli\/src\/(demonstration|stack)\//,
  // Senders of inbound webhooks: some of them happen to be ad platforms.
  /^packages\/shared\/src\/webhooks\/sources/,
  /^services\/(default-worker\/src\/webhooks\/|api\/src\/routes\/webhook-schemas)/,
  // Examples in the command's help show whole payloads.
  /^packages\/cli\/src\/(commands|frame)\//,
  // Only Meta publishes competitors' ads.
  /^services\/intel-worker\/src\/ad-library\//,
];

function productFiles(): string[] {
  return ['packages', 'services']
    .flatMap((group) => readdirSync(join(ROOT, group)).map((name) => join(ROOT, group, name, 'src')))
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
    )
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => relative(ROOT, file));
}

test('no product code outside a platform’s folder names the platform', () => {
  const literal = new RegExp(`['"\`](${PLATFORM_NAMES.join('|')})['"\`]`);
  const naming = productFiles()
    .filter((file) => !ABOUT_A_PLATFORM.some((place) => place.test(file)))
    .filter((file) => literal.test(readFileSync(join(ROOT, file), 'utf8')));
  expect(naming).toEqual([]);
});

test('each folder of a platform is in the registry', () => {
  const folders = readdirSync(join(ROOT, 'packages/connectors/src/ad-platforms'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  expect(folders.toSorted()).toEqual([...PLATFORM_NAMES].toSorted());
});

test('the database accepts the platforms of the registry, and no other', async () => {
  const { owner } = await testDatabase();
  const { rows } = await owner.query<{ place: string; definition: string }>(
    `SELECT conrelid::regclass || '.' || conname AS place, pg_get_constraintdef(oid) AS definition
     FROM pg_constraint WHERE contype = 'c' AND pg_get_constraintdef(oid) ~ '\\mplatform\\M.*= ANY'`,
  );
  expect(rows).not.toEqual([]);
  for (const { place, definition } of rows) {
    const names = [...definition.matchAll(/'([a-z_]+)'::text/g)].map(([, name = '']) => name);
    expect({ place, names: names.toSorted() }).toEqual({ place, names: [...PLATFORM_NAMES].toSorted() });
  }
});
