/** What the dashboard may weigh: its pages in the browser, and its server when nobody looks. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { spawnProgram, waitFor } from '../harness/index.js';
import { skipNotRun } from '../harness/not-run.js';
import { openPlatform } from '../harness/platform.js';
import { buildPages } from './fixture.js';

const PAGES = new URL('../../../services/dashboard/web-dist/', import.meta.url);
const KB = 1_000;
const FIRST_LOAD = 170 * KB;
const EACH_ROUTE = 40 * KB;
const MEMORY_KIB = 150 * 1_024;
/** The budget is 2 %, which the output shows. Neighbours of a virtual machine slow its cores, so that the same work takes up to three times as long. */
const MOST_IDLE_SHARE = 3 * 0.02;
/** Of the samples whose processor time is measured. */
const SAMPLES = 6;
/** The system counts in hundredths of a second. */
const TICK_MS = 10;

test('the first load and each part that is loaded later keep to their budgets, compressed', async () => {
  await buildPages();
  const index = await readFile(new URL('index.html', PAGES), 'utf8');
  const assets = fileURLToPath(new URL('assets/', PAGES));
  const sizes = new Map<string, number>();
  for (const name of await readdir(assets))
    if (name.endsWith('.gz')) sizes.set(name.replace(/\.gz$/, ''), (await stat(assets + name)).size);
  const first = [...sizes].filter(([name]) => index.includes(`/assets/${name}`));
  expect(first.some(([name]) => name.endsWith('.js'))).toBe(true);
  expect(first.reduce((sum, [, size]) => sum + size, 0)).toBeLessThanOrEqual(FIRST_LOAD);
  for (const [name, size] of sizes)
    if (!first.some(([each]) => each === name)) expect(size, name).toBeLessThanOrEqual(EACH_ROUTE);
});

test('an idle server uses less than 150 MB, and next to nothing of a core', async (context) => {
  if (process.platform !== 'linux')
    skipNotRun(context, 'The figures of a process are read as Linux has them.');
  const [{ database, natsUrl, prefix, query }] = await Promise.all([openPlatform(), buildPages()]);
  const program = spawnProgram('services/dashboard/dist/main.js', {
    NATS_URL: natsUrl,
    DATABASE_URL: database.url,
    STRATUM_PREFIX: prefix,
    DASHBOARD_PORT: '0',
    LOG_LEVEL: 'warn',
  });
  await program.ready();
  const samples = async (): Promise<number> => {
    const [row] = await query<{ n: string }>('SELECT count(DISTINCT at) AS n FROM gauge_10s');
    return Number(row?.n);
  };
  // What it does once is done.
  await waitFor('the first samples', async () => (await samples()) >= 3);
  const [before, cpuBefore, at] = [await samples(), await cpuMs(program.pid), performance.now()];
  await waitFor('more samples', async () => (await samples()) >= before + SAMPLES);
  // Processor time, which other programs on the machine do not add to.
  const share = ((await cpuMs(program.pid)) - cpuBefore) / (performance.now() - at);
  const memory = Number(
    /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${program.pid}/status`, 'utf8'))?.[1],
  );
  process.stdout.write(
    `idle dashboard: ${(100 * share).toFixed(2)} % of a core, ${Math.round(memory / 1_024)} MiB\n`,
  );
  expect(memory).toBeLessThan(MEMORY_KIB);
  expect(share).toBeLessThan(MOST_IDLE_SHARE);
});

/** Processor time that a process has used, of the user and of the system. */
async function cpuMs(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}
