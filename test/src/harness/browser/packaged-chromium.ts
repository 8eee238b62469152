/** The Chromium that the npm package `@sparticuz/chromium` carries, with the libraries it needs: for Linux on x64, nothing is downloaded. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { BrowserProgram } from './find-browser.js';

const require = createRequire(import.meta.url);
const UNPACK_TIMEOUT_MS = 60_000;
const manifestSchema = z.object({ version: z.string() });

/** The package unpacks into the temporary folder of its process, and its libraries only where it takes the machine for AWS Lambda. */
const UNPACK = `
import(process.argv[1])
  .then(({ default: chromium }) => chromium.executablePath())
  .catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
`;
const LAMBDA = { AWS_LAMBDA_JS_RUNTIME: 'nodejs20.x' };

/**
 * Unpacks it once into `<cacheDir>/chromium-<version>` (200 MB). Several processes may do so at once: each unpacks into a folder of its
 * own, and the first one that renames it wins.
 * @throws Error for a platform that the package has no program for
 */
export async function unpackChromium(cacheDir: string): Promise<BrowserProgram> {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error(`it is made for Linux on x64, and this is ${process.platform} on ${process.arch}`);
  const entry = require.resolve('@sparticuz/chromium');
  const manifest: unknown = JSON.parse(await readFile(join(dirname(entry), '../../package.json'), 'utf8'));
  const folder = join(cacheDir, `chromium-${manifestSchema.parse(manifest).version}`);
  if (!existsSync(folder)) await unpackInto(folder, entry);
  return {
    path: join(folder, 'chromium'),
    env: { LD_LIBRARY_PATH: join(folder, 'al2023', 'lib'), FONTCONFIG_FILE: await describeFonts(folder) },
  };
}

/** The package looks for its fonts in folders of AWS Lambda. Chromium without a font crashes on the first text. */
async function describeFonts(folder: string): Promise<string> {
  const path = join(folder, 'fonts.conf');
  if (existsSync(path)) return path;
  const draft = `${path}.${process.pid}`;
  await writeFile(
    draft,
    `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${join(folder, 'fonts', 'fonts')}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>${join(folder, 'fonts-cache')}</cachedir>
</fontconfig>
`,
  );
  await rename(draft, path);
  return path;
}

async function unpackInto(folder: string, entry: string): Promise<void> {
  await mkdir(dirname(folder), { recursive: true });
  const partial = await mkdtemp(`${folder}.part-`);
  try {
    await promisify(execFile)(process.execPath, ['-e', UNPACK, entry], {
      env: { ...process.env, ...LAMBDA, TMPDIR: partial },
      timeout: UNPACK_TIMEOUT_MS,
    });
    await rename(partial, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}
