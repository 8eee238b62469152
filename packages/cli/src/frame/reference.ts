/** The reference of the command: every command's own help, as a page. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { printJson } from '../output.js';
import { ROOT } from '../stack/run-file.js';

const WIDTH = 110;

const INTRODUCTION = `# The \`stratum\` command

<!-- Written by \`stratum reference\` from the commands' own help; a test compares it. -->

\`npx stratum\` in this repository, or \`ln -s "$PWD/packages/cli/bin/stratum.js" ~/.local/bin/stratum\` once, and \`stratum\` anywhere.

It works on the local stack where one runs (\`npm start\`), else on what \`NATS_URL\` and \`DATABASE_URL\` name; see
[Configuration](configuration.md). Tables are for people. With \`--json\` it prints one JSON document on standard output (a line for each
event in \`stratum events\`) and, when something fails, one like this on standard error:

\`\`\`json
{ "error": { "code": "invalid_payload", "message": "The payload of task …" } }
\`\`\`

\`code\` is stable: that of the framework's error, \`usage\` for a command line that cannot be read, \`failed\` for the rest. The exit code is
0 when it worked, 1 when it did not: also when the task that was waited for has failed, and when nobody answered.

## Completion

Commands, options, names of tasks, queues and, while a stack runs, of schedule entries and workers are completed by the Tab key:

\`\`\`sh
echo 'source <(stratum completion bash)' >> ~/.bashrc                      # bash
echo 'source <(stratum completion zsh)' >> ~/.zshrc                        # zsh, after compinit
stratum completion fish > ~/.config/fish/completions/stratum.fish          # fish
\`\`\`
`;

export function referenceCommand(program: Command): Command {
  return new Command('reference')
    .description("Write the reference from the commands' own help.")
    .addOption(
      new Option('--out <file>', 'where to').default(
        join(ROOT, 'docs', 'reference', 'cli.md'),
        'docs/reference/cli.md',
      ),
    )
    .option('--check', 'write nothing; fail when the file is not that of this version')
    .option('--json', 'print JSON')
    .action(async ({ out, check, json }: { out: string; check?: boolean; json?: boolean }) => {
      const page = referencePage(program);
      if (!check) await writeFile(out, page);
      else if ((await readFile(out, 'utf8').catch(() => '')) !== page)
        throw new Error(
          `${out} is not of this version. Run \`stratum reference\` and commit what it writes.`,
        );
      if (json) printJson({ file: out });
      else console.log(check ? `${out} is of this version.` : `Wrote ${out}.`);
    });
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
