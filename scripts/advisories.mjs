/**
 * `node scripts/advisories.mjs`: asks the registry for known vulnerabilities of what a production install carries. Exit code 1: one of them is
 * high or critical. 2: nobody could be asked, within a minute at most; the reason is printed.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TIMEOUT_MS = 60_000;
const GRAVE = new Set(['high', 'critical']);
const NOT_CHECKED = 2;

const { packageManager } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const { advisories, reason } = await audit();
if (advisories === undefined) {
  console.log(`NOT CHECKED: ${reason}`);
  console.log('Run `npm run advisories` where the registry answers, before a release.');
  process.exitCode = NOT_CHECKED;
} else {
  const grave = advisories.filter(({ severity }) => GRAVE.has(severity));
  for (const { module_name: name, severity, title, url } of grave)
    console.log(`${name}: ${severity}: ${title} (${url})`);
  console.log(`${advisories.length} advisories, ${grave.length} of them high or critical.`);
  if (grave.length > 0) process.exitCode = 1;
}

/** The registry's answer, or why there is none. */
async function audit() {
  const { output, isLate } = await outputOf(['--yes', packageManager, 'audit', '--prod', '--json']);
  if (isLate) return { reason: `the registry did not answer within ${TIMEOUT_MS / 1000} seconds.` };
  try {
    const report = JSON.parse(output);
    if (report.advisories !== undefined) return { advisories: Object.values(report.advisories) };
    return { reason: report.error?.message ?? 'the registry has answered without a list of advisories.' };
  } catch {
    return { reason: `the registry could not be asked: ${output.trim().slice(0, 500) || 'no output'}` };
  }
}

/** What `npx` prints. It starts programs of its own, which have to end with it. */
function outputOf(args) {
  return new Promise((resolve) => {
    const child = spawn('npx', args, { cwd: ROOT, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks = [];
    const errors = [];
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    }, TIMEOUT_MS);
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => errors.push(chunk));
    child.once('error', (error) => errors.push(Buffer.from(error.message)));
    child.once('close', () => {
      clearTimeout(timer);
      const output = Buffer.concat(chunks.length > 0 ? chunks : errors).toString();
      resolve({ output, isLate });
    });
  });
}
