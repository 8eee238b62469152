/**
 * `npm run test:soak [-- --minutes N --rate N --seed N]`: the mixed load of the crash suite and the platform's services without faults, for as long as it is asked for.
 * Samples memory, handles, waiting tasks and latency, and fails when one of them grows.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startPostgres } from '@stratum/cli/embedded';
import { createClient, reconcileTopology } from '@stratum/jobs';
import { findNatsServer, startNatsServer } from '@stratum/jobs/embedded';
import { startProcesses } from '../crash/cast.js';
import { prepareDatabase } from '../crash/effects.js';
import { connectPatiently, crashTopology } from '../crash/environment.js';
import { prepareAccess } from '../crash/platform/access.js';
import { startServices } from '../crash/platform/services.js';
import { soakChart } from './chart.js';
import { sample, type Watched } from './samples.js';
import { isGrowing, trendOf } from './trend.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    /** Tasks a second, besides workflows, ticks and foreign messages. */
    rate: { type: 'string', default: '30' },
    seed: { type: 'string', default: '1' },
    /** A file for the samples, in JSON. */
    out: { type: 'string' },
    /** A file for their chart, in SVG. */
    chart: { type: 'string' },
  },
});
const seconds = Number(values.minutes) * 60;
const tasks = Math.ceil(Number(values.rate) * seconds);
const cacheDir = fileURLToPath(new URL('../../../.stratum', import.meta.url));
/** Caches and compiled code fill meanwhile. */
const WARM_UP_SHARE = 0.25;
const TASKS_PER_VISIT = 4;
const KEPT_MB_PER_TASK = 0.002;
/** Growth over the rest of the time: of a leak, an hour shows more than a minute. */
const ALLOWED: readonly [unit: RegExp, growth: (first: number) => number][] = [
  // It keeps records and events for days, and knows their subjects: the more have come, the more there are.
  [/^broker MB$/, () => 25 + tasks * (1 - WARM_UP_SHARE) * KEPT_MB_PER_TASK],
  [/ MB$/, (first) => Math.max(25, first * 0.15)],
  [/ handles$/, () => 5],
  [/^tasks waiting$/, () => 100],
  [/ ms$/, (first) => Math.max(50, first)],
];

const folder = await mkdtemp(join(tmpdir(), 'stratum-soak-'));
const journals = join(folder, 'journals');
await mkdir(journals);
const { path: binary } = await findNatsServer({ cacheDir });
const broker = await startNatsServer({ binary, dataDir: join(folder, 'nats') });
const postgres = await startPostgres({ dataDir: join(folder, 'postgres'), durable: false });
const databaseUrl = await postgres.createDatabase('soak');
const database = await prepareDatabase(databaseUrl);
const connection = await connectPatiently(broker.url, 'soak');
const topology = crashTopology(1);
await reconcileTopology(connection, topology);
const client = createClient({ connection, topology });
const shifter = (): { env: NodeJS.ProcessEnv; imports: readonly string[] } => ({ env: {}, imports: [] });
const environment = {
  NATS_URL: broker.url,
  DATABASE_URL: databaseUrl,
  CRASH_REPLICAS: '1',
  CRASH_SEED: values.seed,
  CRASH_TASKS: String(tasks),
  CRASH_WORKFLOWS: String(Math.ceil(tasks / 50)),
  CRASH_FOREIGN: String(Math.ceil(tasks / 20)),
  CRASH_JOURNALS: journals,
  CRASH_SECONDS: String(seconds),
  CRASH_IS_CALM: '1',
};
const services = await startServices({
  folder,
  shifter,
  environment,
  access: await prepareAccess(database),
  replicas: 1,
  visits: Math.ceil(tasks / TASKS_PER_VISIT),
});
const processes = startProcesses({
  folder,
  shifter,
  older: undefined,
  rolling: false,
  environment,
  services,
});
try {
  const endAt = performance.now() + seconds * 1_000;
  const servers: Watched[] = [
    { name: 'broker', pid: broker.pid },
    { name: 'postgres', pid: postgres.pid },
  ];
  const watched = (): Watched[] => [
    ...servers,
    ...[...processes.workers, ...processes.schedulers, processes.housekeeping, ...services.all].map(
      ({ name, pid }) => ({
        name,
        pid,
      }),
    ),
  ];
  const series = await sample(client, watched, () => performance.now() > endAt);
  const { rows } = await database.query<{ count: number }>('SELECT count(*)::int FROM crash_effect');
  console.log(`${rows[0]?.count} effects of ${tasks} tasks and more in ${values.minutes} minutes`);
  if (values.out !== undefined) await writeFile(values.out, JSON.stringify(Object.fromEntries(series)));
  if (values.chart !== undefined) await writeFile(values.chart, soakChart(series));
  const growing: string[] = [];
  for (const [name, samples] of series) {
    const settled = samples.filter(({ at }) => at >= seconds * WARM_UP_SHARE);
    if (settled.length < 5) continue;
    const trend = trendOf(settled);
    const allowed = ALLOWED.find(([unit]) => unit.test(name))?.[1](trend.first) ?? 0;
    if (isGrowing(trend, allowed)) growing.push(name);
    const [first, last, growth] = [trend.first, trend.last, trend.growth].map((value) => value.toFixed(1));
    console.log(
      `${name.padEnd(24)} ${first} → ${last}, by trend ${growth} (allowed ${allowed.toFixed(0)}), steadiness ${trend.steadiness.toFixed(2)}`,
    );
  }
  console.log(growing.length === 0 ? 'Nothing grows.' : `GROWING: ${growing.join(', ')}`);
  process.exitCode = growing.length === 0 ? 0 : 1;
} finally {
  await processes.stop();
  await client.close();
  await connection.close();
  await database.end();
  await postgres.stop();
  await broker.stop();
  await rm(folder, { recursive: true, force: true });
}
