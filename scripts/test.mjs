/**
 * `npm test`: install, build, and run every check: types, lint, format, unused code, all tests that need no container.
 * Arguments go to vitest; with any, only the tests run.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { fail, prepare, ROOT, run } from './bootstrap.mjs';

/** A program of a package, or an absolute path. */
const bin = (name) => resolve(ROOT, 'node_modules/.bin', name);
const ADVISORIES = 'advisories about dependencies';
/** How that check ends where the registry does not answer: the tests of a machine without a network say so, and go on. */
const NOT_CHECKED = 2;
const notChecked = [];
/** @type {[label: string, program: string, args: string[]][]} */
const CHECKS = [
  ['types of the tests', 'tsc', ['-p', 'tsconfig.tests.json']],
  ['lint', 'oxlint', ['--type-aware', '--deny-warnings']],
  ['format', 'prettier', ['--check', '--log-level=warn', '.']],
  ['unused code and dependencies', 'knip', []],
  [ADVISORIES, process.execPath, [join(ROOT, 'scripts/advisories.mjs')]],
  ['API reference', process.execPath, [join(ROOT, 'scripts/api-reference/main.mjs'), '--check']],
];

await prepare();
const filters = process.argv.slice(2);
if (filters.length === 0) {
  const waiting = CHECKS.values();
  await Promise.all(Array.from({ length: availableParallelism() }, () => checkEach(waiting)));
}
console.log('\n# tests');
const folder = mkdtempSync(join(tmpdir(), 'stratum-test-'));
const report = join(folder, 'report.json');
const code = await run(bin('vitest'), [
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${report}`,
  ...filters,
]);
printSummary(report);
for (const label of notChecked) console.log(`\nNOT CHECKED: ${label}; the reason is above.`);
rmSync(folder, { recursive: true, force: true });
process.exitCode = code;

/** Most checks use one processor, so one loop for each runs them. The output of a check is printed when it ends. */
async function checkEach(waiting) {
  for (const [label, program, args] of waiting) {
    const output = [];
    const exitCode = await run(bin(program), args, { onOutput: (chunk) => output.push(chunk) });
    process.stdout.write(`\n# ${label}\n${Buffer.concat(output).toString()}`);
    if (exitCode === NOT_CHECKED && label === ADVISORIES) notChecked.push(label);
    else if (exitCode !== 0) fail(`The check "${label}" failed.`);
  }
}

function printSummary(file) {
  try {
    const {
      numPassedTests: passed,
      numFailedTests: failed,
      numPendingTests: skipped,
      testResults: files,
    } = JSON.parse(readFileSync(file, 'utf8'));
    console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
    printNotRun(files);
  } catch {
    console.log('\nThe tests ended without a report.');
  }
}

/** Tests that this machine could not run, with the reason that each of them left. */
function printNotRun(files) {
  const notRun = files.flatMap(({ name, assertionResults }) =>
    assertionResults
      .filter(({ meta }) => meta?.notRun)
      .map(({ fullName, meta }) => ({ test: `${relative(ROOT, name)}: ${fullName}`, reason: meta.notRun })),
  );
  if (notRun.length === 0) return;
  const line = '!'.repeat(80);
  console.log(`\n${line}\nNOT RUN: ${notRun.length} tests`);
  for (const { test } of notRun) console.log(`  ${test}`);
  for (const reason of new Set(notRun.map(({ reason: why }) => why))) console.log(reason);
  console.log(line);
}
