/** The code blocks of a page, with what an HTML comment in front of one says about it. Readers do not see such a comment. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** Generated; their own commands compare them with the code. */
const GENERATED = /^docs\/reference\/(?:cli\.md|contracts\/|jobs-api)/;
/** It begins in an empty folder, without a stack, and has a test of its own. */
const OF_ITS_OWN = /^docs\/start\/first-task\.md$/;
const ELSEWHERE = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  'deploy/README.md',
  'deploy/helm/README.md',
  'deploy/nats/README.md',
];

/**
 * - `run`: as written, after the blocks before it
 * - `syntax`: a shell block whose syntax is checked, and which is not run; the reason says why
 * - `endless`: run until it prints something, then ended
 * - `output`: every line appears in the output of the block before, in this order; `…` stands for any text
 * - `excerpt`: the lines of a file, in its order
 */
export type Directive =
  | { kind: 'run'; needs: readonly string[] }
  | { kind: 'syntax'; reason: string }
  | { kind: 'endless'; reason: string }
  | { kind: 'output' }
  | { kind: 'excerpt'; file: string };

export interface Block {
  /** Line of the page that the block's code begins in, from 1. */
  readonly line: number;
  readonly language: string;
  readonly code: string;
  readonly directive: Directive;
}

export interface Page {
  /** Path from the root of the repository. */
  readonly name: string;
  readonly text: string;
  readonly blocks: readonly Block[];
}

/** README, guides and the other pages that people write, the README first. */
export async function readPages(): Promise<Page[]> {
  const documents = await readdir(join(ROOT, 'docs'), { recursive: true });
  const names = [...ELSEWHERE, ...documents.map((name) => `docs/${name}`).toSorted()];
  const written = names.filter(
    (name) =>
      name.endsWith('.md') &&
      !GENERATED.test(name) &&
      !OF_ITS_OWN.test(name) &&
      !name.includes('node_modules'),
  );
  return Promise.all(
    written.map(async (name) => {
      const text = await readFile(join(ROOT, name), 'utf8');
      return { name, text, blocks: blocksOf(text) };
    }),
  );
}

/** @throws Error about a comment that is no directive */
export function blocksOf(text: string): Block[] {
  const fences = text.matchAll(
    /(?:^<!-- (?<comment>(?:(?!-->).)*?) -->\n+)?^```(?<language>[a-z]+)\n(?<code>.*?)^```$/gms,
  );
  return [...fences].map(({ 0: all, groups, index }) => {
    const { comment, language = '', code = '' } = groups ?? {};
    const before = text.slice(0, index + all.lastIndexOf(code));
    return { line: before.split('\n').length, language, code, directive: directiveOf(comment) };
  });
}

function directiveOf(comment: string | undefined): Directive {
  if (comment === undefined) return { kind: 'run', needs: [] };
  const [, word = '', rest = ''] =
    /^(output|syntax only|endless|needs|excerpt)(?:: (.+))?$/s.exec(comment) ?? [];
  if (word === 'output' && rest === '') return { kind: 'output' };
  if (word === 'syntax only' && rest !== '') return { kind: 'syntax', reason: rest };
  if (word === 'endless' && rest !== '') return { kind: 'endless', reason: rest };
  if (word === 'excerpt' && rest !== '') return { kind: 'excerpt', file: rest };
  if (word === 'needs' && rest !== '') return { kind: 'run', needs: rest.split(', ') };
  throw new Error(`"${comment}" in front of a block is no directive with its reason`);
}
