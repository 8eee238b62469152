/** A real browser for a test. Where none runs, the test is skipped and says why; in continuous integration it fails. */
import { fileURLToPath } from 'node:url';
import { chromium, type Browser } from 'playwright-core';
import { onTestFinished, type TestContext } from 'vitest';
import { skipNotRun } from '../not-run.js';
import { findBrowser, type FoundBrowser, type NoBrowser } from './find-browser.js';
import { unpackChromium } from './packaged-chromium.js';

const CACHE = fileURLToPath(new URL('../../../../.stratum/browser', import.meta.url));
/** Runs as root, without a screen, and asks nobody on the network for anything of its own. */
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const LAUNCH_TIMEOUT_MS = 30_000;
const WHAT_TO_DO =
  'Install Chromium or Chrome (on Debian: apt-get install chromium), or name its path in CHROMIUM_BIN.';

let lookup: Promise<FoundBrowser | NoBrowser> | undefined;

/**
 * Closed when the test ends. Call it first: nothing of a test that is skipped should have started.
 * @param found the result of a lookup; default: this machine's, looked up once in a process
 */
export async function launchBrowser(
  context: TestContext,
  found?: FoundBrowser | NoBrowser,
): Promise<Browser> {
  lookup ??= findBrowser({
    configured: process.env['CHROMIUM_BIN'],
    searchPath: process.env['PATH'] ?? '',
    unpack: () => unpackChromium(CACHE),
  });
  const program = found ?? (await lookup);
  if ('reason' in program) return withoutBrowser(context, program);
  const browser = await chromium.launch({
    executablePath: program.path,
    args: FLAGS,
    timeout: LAUNCH_TIMEOUT_MS,
    env: { ...process.env, ...program.env },
  });
  onTestFinished(() => browser.close());
  return browser;
}

function withoutBrowser(context: TestContext, { reason }: NoBrowser): never {
  const notRun = `No browser runs here. ${reason} ${WHAT_TO_DO}`;
  if (inContinuousIntegration()) throw new Error(notRun);
  return skipNotRun(context, notRun);
}

/** As most such services set it: `CI=true`. */
function inContinuousIntegration(): boolean {
  return !['', '0', 'false'].includes(process.env['CI'] ?? '');
}
