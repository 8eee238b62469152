/** An ad platform is declared in one place: everything else asks its definition. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { PLATFORM_NAMES } from '@stratum/connectors/ad-platforms';
import { SANDBOX_PLATFORMS } from '@stratum/sandbox';
import { expect, test } from 'vitest';
import { testDatabase } from '../harness/index.js';

const ROOT = join(import.meta.dirname, '../../..');

/** The definitions, and the simulation, which is written from the platforms' documents and not from our clients. */
const ABOUT_A_PLATFORM = new RegExp(
  `^(packages/connectors/src/ad-platforms/(${PLATFORM_NAMES.join('|')})|services/sandbox/src)/`,
);

/** Files that name a platform for another reason than being its connector. */
const NAMING: ReadonlySet<string> = new Set([
  // Senders of inbound webhooks: two of them are ad platforms, too.
  'packages/shared/src/webhooks/sources.ts',
  'packages/shared/src/webhooks/sources/meta.ts',
  'packages/shared/src/webhooks/sources/tiktok.ts',
  'services/api/src/routes/webhook-schemas.ts',
  'services/default-worker/src/webhooks/plan-event.ts',
  'services/default-worker/src/webhooks/plan-meta-change.ts',
  'services/default-worker/src/webhooks/plan-tiktok-event.ts',
  // Only Meta publishes competitors' ads.
  'services/intel-worker/src/ad-library/ad-library.ts',
  // The demonstration tenants, and the first sync that a new stack shows.
  'packages/cli/src/demonstration/demonstration.ts',
  'packages/cli/src/demonstration/seed.ts',
  'packages/cli/src/stack/first-sync.ts',
  // Examples in help show whole payloads.
  'packages/cli/src/commands/call.command.ts',
  'packages/cli/src/commands/dead.command.ts',
  'packages/cli/src/commands/schedules.command.ts',
  'packages/cli/src/commands/up.ts',
  'packages/cli/src/commands/workflow.command.ts',
  'packages/cli/src/frame/frame.ts',
]);

function productFiles(): string[] {
  return ['packages', 'services']
    .flatMap((group) => readdirSync(join(ROOT, group)).map((name) => join(ROOT, group, name, 'src')))
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
    )
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => relative(ROOT, file));
}

test('no other product code names a platform', () => {
  const literal = new RegExp(`['"\`](${PLATFORM_NAMES.join('|')})['"\`]`);
  const naming = productFiles()
    .filter((file) => !ABOUT_A_PLATFORM.test(file))
    .filter((file) => literal.test(readFileSync(join(ROOT, file), 'utf8')));
  expect(naming.filter((file) => !NAMING.has(file))).toEqual([]);
  expect(
    [...NAMING].filter((file) => !naming.includes(file)),
    'no longer needed here',
  ).toEqual([]);
});

test.each([
  ['packages/connectors/src/ad-platforms', PLATFORM_NAMES],
  ['services/sandbox/src/platforms', SANDBOX_PLATFORMS],
])('each folder of a platform in %s is in its registry', (place, registered) => {
  const folders = readdirSync(join(ROOT, place), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  expect(folders.toSorted()).toEqual(registered.toSorted());
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
