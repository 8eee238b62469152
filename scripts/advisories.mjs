/**
 * `node scripts/advisories.mjs`: asks the registry for known vulnerabilities of what a production install carries, and fails when one is high
 * or critical. A registry that does not answer, in time or at all, fails nothing: it says so, and the check is made where it answers.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TIMEOUT_MS = 30_000;
const GRAVE = new Set(['high', 'critical']);

const { packageManager } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const report = await audit();
const advisories = report?.advisories === undefined ? undefined : Object.values(report.advisories);
if (advisories === undefined) {
  console.log('Not checked: the registry did not answer.');
} else {
  const grave = advisories.filter(({ severity }) => GRAVE.has(severity));
  for (const { module_name: name, severity, title, url } of grave)
    console.log(`${name}: ${severity}: ${title} (${url})`);
  console.log(`${advisories.length} advisories, ${grave.length} of them high or critical.`);
  if (grave.length > 0) process.exitCode = 1;
}

/** The registry's answer; `undefined` without one. */
function audit() {
  return new Promise((resolve) => {
    const args = ['--yes', packageManager, 'audit', '--prod', '--json'];
    execFile(
      'npx',
      args,
      { cwd: ROOT, timeout: TIMEOUT_MS, maxBuffer: 64 * 1024 * 1024 },
      (_error, stdout) => {
        try {
          resolve(JSON.parse(stdout));
        } catch {
          resolve(undefined);
        }
      },
    );
  });
}
