/** The shell blocks of a page, run as written by one bash: variables of a block hold in the blocks after it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { programEnvironment } from '../harness/index.js';
import { ROOT, type Block } from './page-blocks.js';

/** For a whole page, also on a machine that is busy with other tests. */
const PAGE_TIMEOUT_MS = 600_000;
const MARK = '\u001E';

/** Any failed command ends the page, and so does a variable that nothing has set. */
const PROLOGUE = `set -euo pipefail
exec 2>&1
# The program that npx finds in a clone, without half a second of npm before each of a hundred commands.
npx() {
  if [ "$1" = stratum ]; then node_modules/.bin/stratum "\${@:2}"; else command npx "$@"; fi
}
endless() {
  local log; log=$(mktemp -p "$HOME")
  set -m; "$1" > "$log" 2>&1 & local pid=$!; set +m
  while [ ! -s "$log" ]; do kill -0 "$pid"; sleep 0.1; done
  # A program that ends by itself needs no directive.
  sleep 0.3; kill -0 "$pid"
  kill -TERM -- "-$pid"; wait "$pid" || true
  cat "$log"
}
`;

export interface PageRun {
  /** What each block printed, by its place among the blocks that were given; a page that failed has fewer. */
  readonly outputs: readonly string[];
  /** Why the last of them failed. */
  readonly failure?: string;
}

/** What bash has to say about the syntax of a script; nothing when it is right. */
export async function syntaxProblem(script: string): Promise<string> {
  const { code, output } = await bash(['-n'], script, ROOT, {});
  return code === 0 ? '' : output;
}

/** @param env where the stack is */
export async function runPage(blocks: readonly Block[], env: NodeJS.ProcessEnv): Promise<PageRun> {
  const folder = await standIn();
  const home = await mkdtemp(join(tmpdir(), 'stratum-test-home-'));
  try {
    const script = blocks.map(({ code, directive }, index) => {
      const body =
        directive.kind === 'endless' ? `block${index}() {\n${code}\n}\nendless block${index}\n` : code;
      return `printf '${MARK}'\n${body}`;
    });
    const file = join(home, 'page.sh');
    // An answer of an HTTP server that is an error fails the page, too.
    await writeFile(join(home, '.curlrc'), 'fail-with-body\nno-progress-meter\n');
    await writeFile(file, `${PROLOGUE}${script.join('\n')}`);
    const { code, output } = await bash([file], '', folder, { ...env, HOME: home });
    const outputs = output.split(MARK).slice(1);
    return code === 0 ? { outputs } : { outputs, failure: `exit code ${code}` };
  } finally {
    await Promise.all([folder, home].map((each) => rm(each, { recursive: true, force: true })));
  }
}

/** A folder that looks like the repository, and takes the files that a guide writes. */
async function standIn(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stratum-test-clone-'));
  for (const entry of await readdir(ROOT))
    if (entry !== '.git') await symlink(join(ROOT, entry), join(folder, entry));
  return folder;
}

async function bash(
  args: readonly string[],
  input: string,
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<{ code: number | null; output: string }> {
  const child = spawn('bash', ['--noprofile', '--norc', ...args], {
    cwd,
    env: programEnvironment(env),
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: PAGE_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  // One that is given a file reads none of it, and may have ended before.
  child.stdin.on('error', () => undefined).end(input);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  await once(child, 'close');
  return { code: child.exitCode, output };
}
