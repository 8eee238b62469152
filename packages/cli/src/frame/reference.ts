/** The reference of the command: every command's own help, as a page. */
import { readFile, writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
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

/** Writes the page, or checks it. */
export async function writeReference(
  { out, check, json }: ReferenceOptions,
  command: Command,
): Promise<void> {
  const page = referencePage(root(command));
  if (!check) await writeFile(out, page);
  else if ((await readFile(out, 'utf8').catch(() => '')) !== page)
    throw new Error(`${out} is out of date. Run ${typed('reference')} and commit the file that it writes.`);
  if (json) printJson({ file: out });
  else console.log(check ? `${out} is up to date.` : `Wrote ${out}.`);
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
