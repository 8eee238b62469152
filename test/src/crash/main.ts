/** `npm run test:crash [-- --seed N --tasks N --seconds N --replicas 3]`: the long form of the crash test. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findNatsServer } from '@stratum/jobs/embedded';
import { startPostgres } from '@stratum/cli/embedded';
import { runCrashes } from './run.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
    tasks: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '60' },
    replicas: { type: 'string', default: '1' },
  },
});
const cacheDir = fileURLToPath(new URL('../../../.stratum', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'stratum-crash-db-'));
const { path: natsBinary } = await findNatsServer({ cacheDir });
const postgres = await startPostgres({ dataDir: folder, durable: false });
try {
  console.log(`seed ${values.seed} (replay with: npm run test:crash -- --seed ${values.seed})`);
  const report = await runCrashes({
    seed: Number(values.seed),
    tasks: Number(values.tasks),
    killForMs: Number(values.seconds) * 1_000,
    natsBinary,
    replicas: Number(values.replicas),
    databaseUrl: await postgres.createDatabase('crash'),
    log: (line) => console.log(line),
  });
  const { violations, ...figures } = report;
  console.log(JSON.stringify(figures, undefined, 2));
  for (const violation of violations) console.error(`VIOLATION: ${violation}`);
  console.log(violations.length === 0 ? 'Every task came to one end, every effect happened once.' : 'FAILED');
  process.exitCode = violations.length === 0 ? 0 : 1;
} finally {
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}
