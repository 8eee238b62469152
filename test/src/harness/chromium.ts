/** A real browser for tests: the system's Chromium. `.ci/run` installs it where it is missing. */
import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';
import { onTestFinished } from 'vitest';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
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

/** Closed when the test ends. */
export async function launchChromium(): Promise<Browser> {
  const executablePath = process.env['CHROMIUM_BIN'] ?? PLACES.find((path) => existsSync(path));
  if (executablePath === undefined)
    throw new Error(
      'There is no Chromium. Install it (on Debian: apt-get install chromium), or name its path in CHROMIUM_BIN.',
    );
  const browser = await chromium.launch({ executablePath, args: FLAGS, timeout: LAUNCH_TIMEOUT_MS });
  onTestFinished(() => browser.close());
  return browser;
}
