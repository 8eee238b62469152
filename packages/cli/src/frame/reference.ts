/** The pages of the reference that code writes: every command's own help, and the ad platforms. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { platformsPage } from '../ad-platforms-page.js';
import { printJson } from '../output.js';
import { root } from './frame.js';
import { typed } from './invocation.js';

const WIDTH = 110;

const INTRODUCTION = `# The \`stratum\` command

<!-- Written by \`stratum reference\` from the commands' own help; a test compares it. -->

Run \`npx stratum\` in this repository. To run \`stratum\` anywhere, link it once: \`ln -s "$PWD/packages/cli/bin/stratum.js" ~/.local/bin/stratum\`.

Commands use the local stack while one runs (\`npm start\`), else the servers that \`NATS_URL\` and \`DATABASE_URL\` name; see
[Configuration](configuration.md). Tables are for people: on a terminal they fit its width; elsewhere every row is complete and on one line.
With \`--json\`, a command prints one JSON document on standard output (\`stratum events\`: one on each line) and, when it fails, one
like this as the last line of standard error:

\`\`\`json
{ "error": { "code": "invalid_payload", "message": "The payload of task …" } }
\`\`\`

\`code\` is stable: the code of the framework's error, \`usage\` for a wrong command line, \`connection_failed\` and \`database_unreachable\` for
servers that do not answer, \`failed\` for all other errors. The exit code is 0 on success and 1 on failure, also when the task that a
command waited for has failed, and when no worker answered; 130 after Ctrl-C.

## Completion

The Tab key completes commands, options, names of tasks and queues and, while a stack runs, of schedule entries and workers:

\`\`\`sh
echo 'source <(stratum completion bash)' >> ~/.bashrc                      # bash
echo 'source <(stratum completion zsh)' >> ~/.zshrc                        # zsh, after compinit
stratum completion fish > ~/.config/fish/completions/stratum.fish          # fish
\`\`\`
`;

interface ReferenceOptions {
  out: string;
  check?: boolean;
  json?: boolean;
}

/** Writes the pages, or checks them. */
export async function writeReference(
  { out, check, json }: ReferenceOptions,
  command: Command,
): Promise<void> {
  const pages = { 'cli.md': referencePage(root(command)), 'ad-platforms.md': platformsPage() };
  const files = Object.entries(pages).map(([name, page]) => ({ file: join(out, name), page }));
  for (const { file, page } of files) {
    if (!check) await writeFile(file, page);
    else if ((await readFile(file, 'utf8').catch(() => '')) !== page)
      throw new Error(
        `${file} is out of date. Run ${typed('reference')} and commit the files that it writes.`,
      );
  }
  const names = files.map(({ file }) => file);
  if (json) printJson({ files: names });
  else console.log(check ? `${names.join(' and ')} are up to date.` : `Wrote ${names.join(' and ')}.`);
}

function referencePage(program: Command): string {
  const sections = [...commandsOf(program)].map(
    ([path, command]) => `## \`${path.join(' ')}\`\n\n\`\`\`text\n${helpOf(command)}\n\`\`\`\n`,
  );
  return `${INTRODUCTION}\n${sections.join('\n')}`;
}

/** Every command that people see, with the words that call it. */
function* commandsOf(command: Command, path: readonly string[] = []): Generator<[string[], Command]> {
  const own = [...path, command.name()];
  yield [own, command];
  for (const each of command.createHelp().visibleCommands(command)) yield* commandsOf(each, own);
}

/** As on a terminal of a fixed width, without colours. */
function helpOf(command: Command): string {
  let text = '';
  const configured = command.configureOutput();
  command.configureOutput({
    writeOut: (part) => (text += part),
    getOutHelpWidth: () => WIDTH,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  command.configureOutput(configured);
  return text.trim();
}
