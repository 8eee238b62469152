/** A real build of an older version of the framework, whose processes run beside today's. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const manifestSchema = z.object({ packageManager: z.string() });

export interface OlderVersion {
  /** Given to its processes. */
  env: NodeJS.ProcessEnv;
  imports: readonly string[];
}

/** Checks the commit out of this repository's history, installs and builds its framework, and keeps that in `cacheDir`. */
export async function buildOlder(commit: string, cacheDir: string): Promise<OlderVersion> {
  const folder = join(cacheDir, 'older', commit);
  if (!existsSync(folder)) {
    const unfinished = `${folder}.unfinished`;
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(join(cacheDir, 'older'), { recursive: true });
    await run('git', ['clone', '--quiet', '--no-checkout', ROOT, unfinished]);
    await run('git', ['checkout', '--quiet', '--detach', commit], { cwd: unfinished });
    const manifest = await readFile(join(unfinished, 'package.json'), 'utf8');
    const { packageManager } = manifestSchema.parse(JSON.parse(manifest));
    const install = [
      packageManager,
      'install',
      '--frozen-lockfile',
      '--filter',
      '.',
      '--filter',
      '@stratum/jobs',
    ];
    await run('npx', ['--yes', ...install], { cwd: unfinished });
    await run(join(unfinished, 'node_modules/.bin/tsc'), ['-b', 'packages/jobs'], { cwd: unfinished });
    await rename(unfinished, folder);
  }
  const entry = pathToFileURL(join(folder, 'packages/jobs/dist/index.js')).href;
  return {
    env: { CRASH_IS_OLDER: '1', CRASH_FRAMEWORK: entry },
    imports: [new URL('../../dist/crash/older-import.js', import.meta.url).href],
  };
}
