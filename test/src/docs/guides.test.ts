/** Every block of the README and the guides, run as written against one running stack. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { isInstalled, runProgram } from '../cli/stratum.js';
import { skipNotRun } from '../harness/not-run.js';
import { LocalStack } from '../stack/local-stack.js';
import { blocksOf, readPages, ROOT, type Block, type Page } from './page-blocks.js';
import { runPage, syntaxProblem } from './page-shell.js';

/** A stack, and some hundred programs one after the other. */
const TIMEOUT_MS = 1_800_000;

/** Programs that most systems have: a page that calls one of them is left out where it is missing. */
const COMMON_PROGRAMS = ['curl', 'openssl'];

const pages = await readPages();
const missing = await missingPrograms();

/** Programs that blocks need and this machine lacks. */
async function missingPrograms(): Promise<Set<string>> {
  const needed = new Set([
    ...COMMON_PROGRAMS,
    ...pages.flatMap(({ blocks }) =>
      blocks.flatMap(({ directive }) => (directive.kind === 'run' ? directive.needs : [])),
    ),
  ]);
  const absent = await Promise.all(
    [...needed].map(async (program) => ((await isInstalled(program)) ? [] : [program])),
  );
  return new Set(absent.flat());
}

function runnable({ language, directive }: Block): boolean {
  if (language !== 'sh') return false;
  if (directive.kind === 'run') return !directive.needs.some((program) => missing.has(program));
  return directive.kind === 'endless';
}

/** The missing programs that a page cannot do without: its later blocks use what the earlier ones have set. */
function lackedBy({ blocks }: Page): string[] {
  const code = blocks
    .filter(runnable)
    .map((block) => block.code)
    .join('\n');
  return COMMON_PROGRAMS.filter((program) => missing.has(program) && new RegExp(`\\b${program} `).test(code));
}

/** The first line that the output lacks, read from where the line before it was found. */
function absentLine(expected: string, output: string): string | undefined {
  let rest = output;
  for (const line of expected.split('\n').filter((text) => text.trim() !== '')) {
    const parts = line
      .trim()
      .split('…')
      .map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`));
    const pattern = new RegExp(parts.join('.*').replaceAll(/\s+/g, String.raw`\s+`));
    const found = pattern.exec(rest);
    if (found === null) return line;
    rest = rest.slice(found.index + found[0].length);
  }
  return undefined;
}

/**
 * The first line that a file lacks, read from where the line before it was found. How lines are broken is the formatter's business,
 * and an excerpt leaves out `export`.
 */
function absentExcerpt(code: string, file: string): string | undefined {
  const normal = (text: string): string =>
    text
      .replaceAll(/\bexport /g, '')
      .replaceAll(/\s+/g, '')
      .replaceAll(/,(?=[)\]}])/g, '');
  let rest = normal(file);
  for (const line of code.split('\n').filter((text) => text.trim() !== '')) {
    const wanted = normal(line.trimEnd().replace(/,$/, ''));
    const found = rest.indexOf(wanted);
    if (found === -1) return line;
    rest = rest.slice(found + wanted.length);
  }
  return undefined;
}

/** Runs a page and compares what it promises to print. */
async function problemsOf(page: Page, env: NodeJS.ProcessEnv): Promise<string[]> {
  const blocks = page.blocks.filter(runnable);
  const { outputs, failure } = await runPage(blocks, env);
  const place = (block: Block | undefined): string => `${page.name}:${block?.line}`;
  if (failure !== undefined) return [`${place(blocks[outputs.length - 1])}: ${failure}\n${outputs.at(-1)}`];
  return page.blocks.flatMap((block, index) => {
    const before = page.blocks[index - 1];
    if (block.directive.kind !== 'output' || before === undefined || !runnable(before)) return [];
    const output = outputs[blocks.indexOf(before)] ?? '';
    const absent = absentLine(block.code, output);
    return absent === undefined ? [] : [`${place(block)}: "${absent}" is not in the output:\n${output}`];
  });
}

test(
  'shell blocks run as written',
  async () => {
    const stack = await LocalStack.create();
    await stack.started(stack.up());
    const problems: string[] = [];
    for (const page of pages.filter((each) => lackedBy(each).length === 0))
      problems.push(...(await problemsOf(page, stack.environment)));
    expect(problems).toEqual([]);
  },
  TIMEOUT_MS,
);

test('no block is left out', (context) => {
  const left = pages.filter((page) => lackedBy(page).length > 0).map(({ name }) => name);
  const notRun =
    `Blocks of the guides need programs that are not installed: ${[...missing].join(', ')}.` +
    (left.length === 0 ? '' : ` Whole pages were left out: ${left.join(', ')}.`);
  if (missing.size > 0) skipNotRun(context, notRun);
  expect(left).toEqual([]);
});

test('shell blocks have no syntax error and no placeholder', async () => {
  const problems: string[] = [];
  for (const { name, blocks } of pages)
    for (const { language, code, line } of blocks.filter((block) => block.language === 'sh')) {
      expect(language).toBe('sh');
      const problem = await syntaxProblem(code);
      if (problem !== '') problems.push(`${name}:${line}: ${problem}`);
      if (/<[a-z][a-z -]*>|…/.test(code)) problems.push(`${name}:${line}: a placeholder`);
    }
  expect(problems).toEqual([]);
});

test('code is an excerpt of a file, and JSON parses', async () => {
  const problems: string[] = [];
  for (const { name, blocks } of pages)
    for (const { language, code, line, directive } of blocks) {
      if (directive.kind === 'excerpt') {
        const absent = absentExcerpt(code, await readFile(join(ROOT, directive.file), 'utf8'));
        if (absent !== undefined) problems.push(`${name}:${line}: ${directive.file} has no "${absent}"`);
      } else if (language === 'json') {
        expect(() => JSON.parse(code), `${name}:${line}`).not.toThrow();
      } else if (['ts', 'js', 'python', 'go', 'sql'].includes(language)) {
        problems.push(`${name}:${line}: a block in ${language} is not the excerpt of a file`);
      }
    }
  expect(problems).toEqual([]);
});

test('no directive is idle', () => {
  const problems = pages.flatMap(({ name, blocks }) =>
    blocks.flatMap(({ code, line, directive }, index) => {
      const place = `${name}:${line}`;
      if (directive.kind === 'output' && blocks[index - 1]?.language !== 'sh')
        return [`${place}: no command in front of this output`];
      if (directive.kind !== 'run') return [];
      const idle = directive.needs.filter((program) => !new RegExp(`^${program} `, 'm').test(code));
      return idle.map((program) => `${place}: the block does not need ${program}`);
    }),
  );
  expect(problems).toEqual([]);
});

test('links lead to files and headings that exist', async () => {
  const problems: string[] = [];
  for (const { name, text } of pages)
    for (const [, target = '', heading] of text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)) {
      const file = target === '' ? name : join(dirname(name), target);
      if (!existsSync(join(ROOT, file))) problems.push(`${name}: ${target}`);
      else if (heading !== undefined && !headingsOf(await readFile(join(ROOT, file), 'utf8')).has(heading))
        problems.push(`${name}: ${target}#${heading}`);
    }
  expect(problems).toEqual([]);
});

/** Files with the reader's own secrets. */
const READERS_OWN = new Set(['deploy/.env']);

test('files that a page names exist', () => {
  const path = /`((?:packages|services|test|docs|deploy|scripts)\/[\w./-]+)`/g;
  const problems = pages.flatMap(({ name, text }) =>
    [...text.matchAll(path)].flatMap(([, file = '']) =>
      existsSync(join(ROOT, file)) || READERS_OWN.has(file) ? [] : [`${name}: ${file}`],
    ),
  );
  expect(problems).toEqual([]);
});

/** Names of headings, as GitHub makes them. */
function headingsOf(text: string): Set<string> {
  return new Set(
    [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

test('npx stratum is the command of this clone', async () => {
  const [ran, page] = await Promise.all([
    runProgram('npx', ['stratum', '--version']),
    runPage(blocksOf('```sh\nVERSION=$(npx stratum --version)\necho "$VERSION"\n```\n'), {}),
  ]);
  expect(ran.code).toBe(0);
  expect(page).toEqual({ outputs: [ran.stdout] });
});

test('a page that is wrong is noticed', async () => {
  const [failing, unset] = await Promise.all([
    runPage(blocksOf('```sh\necho one\n```\n\n```sh\nfalse\n```\n\n```sh\necho three\n```\n'), {}),
    runPage(blocksOf('```sh\necho "$ID"\n```\n'), {}),
  ]);
  expect(failing).toMatchObject({
    outputs: [expect.stringContaining('one'), expect.anything()],
    failure: 'exit code 1',
  });
  expect(unset.failure).toBeDefined();
  expect(await syntaxProblem('npx stratum revoke <id>; npx stratum dead list')).toContain('syntax error');
  expect(absentLine('state  SUCCESS\nid …', 'id 1\nstate SUCCESS\n')).toBe('id …');
  expect(absentExcerpt('const a = f(1, 2);', 'export const a = f(\n  1,\n  2,\n);\n')).toBeUndefined();
  expect(absentExcerpt('const a = 1;\nconst b = 3;', 'const a = 1;\nconst b = 2;\n')).toBe('const b = 3;');
  const idle = await runPage(blocksOf('<!-- endless: it is not -->\n\n```sh\necho one\n```\n'), {});
  expect(idle.failure).toBeDefined();
  expect(() => blocksOf('<!-- endless -->\n\n```sh\ntrue\n```\n')).toThrow('no directive');
});
