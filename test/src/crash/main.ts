/**
 * `npm run test:crash [-- --seed N --tasks N --seconds N --replicas 3 --older COMMIT]`: the long form of the crash test.
 * `npm run test:chaos`: the same with `--chaos`, on three servers, with more faults. `--older` lets processes of an older version take part, which
 * is built from this repository's history; with `--rolling` all begin with it, and a rolling deployment goes forth, back and forth again.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findNatsServer } from '@stratum/jobs/embedded';
import { startPostgres } from '@stratum/cli/embedded';
import { startDatabaseServers } from './database-servers.js';
import { buildOlder } from './older.js';
import { runCrashes } from './run.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
    tasks: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '60' },
    replicas: { type: 'string', default: '1' },
    older: { type: 'string' },
    chaos: { type: 'boolean', default: false },
    rolling: { type: 'boolean', default: false },
  },
});
/** The file `violations.json` has all. */
const SHOWN = 30;
const { seed, tasks, seconds, replicas } = values;
if (values.rolling && values.older === undefined) throw new Error('--rolling needs --older <commit>.');
const cacheDir = fileURLToPath(new URL('../../../.stratum', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'stratum-crash-db-'));
const { path: natsBinary } = await findNatsServer({ cacheDir });
const older = values.older === undefined ? undefined : await buildOlder(values.older, cacheDir);
const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.once(name, () => interrupted.abort(new Error(`The run was ended by ${name}.`)));
const servers = values.chaos ? await startDatabaseServers(folder) : undefined;
const postgres = servers ? undefined : await startPostgres({ dataDir: folder, durable: false });
try {
  const same = Object.entries(values)
    .filter(([, value]) => value !== false)
    .map(([name, value]) => (value === true ? `--${name}` : `--${name} ${value}`));
  console.log(`seed ${seed} (run it again: npm run test:crash -- ${same.join(' ')})`);
  const { violations, ...figures } = await runCrashes({
    seed: Number(seed),
    tasks: Number(tasks),
    killForMs: Number(seconds) * 1_000,
    natsBinary,
    replicas: Number(replicas),
    chaos: values.chaos,
    platform: values.chaos,
    rolling: values.rolling,
    older,
    databaseUrl: servers?.url ?? (await postgres?.createDatabase('crash')) ?? '',
    ...(servers === undefined ? {} : { databaseServers: servers }),
    log: (line) => console.log(line),
    signal: interrupted.signal,
  });
  console.log(JSON.stringify(figures, undefined, 2));
  for (const violation of violations.slice(0, SHOWN)) console.error(`VIOLATION: ${violation}`);
  if (violations.length > SHOWN) console.error(`… and ${violations.length - SHOWN} more`);
  console.log(
    violations.length === 0
      ? 'Every task came to one end, every effect happened once.'
      : `FAILED with seed ${seed}; its records, journals and logs are in ${figures.kept}`,
  );
  process.exitCode = violations.length === 0 ? 0 : 1;
} finally {
  await Promise.all([servers?.stop(), postgres?.stop()]);
  await rm(folder, { recursive: true, force: true });
}
