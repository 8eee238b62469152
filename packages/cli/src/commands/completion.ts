import { Argument, Command } from 'commander';
import { cutLength, joinBashWords } from '../completion/bash-words.js';
import { candidatesFor } from '../completion/candidates.js';
import { completionScript, SHELLS, type Shell } from '../completion/shells.js';
import { knownValues } from '../completion/values.js';

export function completionCommand(): Command {
  return new Command('completion')
    .description('Print a script that completes commands, options and names by the Tab key.')
    .addArgument(new Argument('<shell>', 'yours').choices(SHELLS))
    .addHelpText(
      'after',
      `
Examples:
  echo 'source <(stratum completion bash)' >> ~/.bashrc
  echo 'source <(stratum completion zsh)' >> ~/.zshrc
  stratum completion fish > ~/.config/fish/completions/stratum.fish`,
    )
    .action((shell: Shell) => {
      process.stdout.write(completionScript(shell, [process.execPath, process.argv[1] ?? 'stratum']));
    });
}

/** What the scripts call. A line for each candidate: its value, a tab, its description. */
export function completeCommand(program: Command): Command {
  return new Command('complete')
    .description('Tell a shell what may stand next.')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .argument('[words...]', 'after the name of the program; the last one is being typed')
    .action(async (shell: Shell, given: string[]) => {
      const words = shell === 'bash' ? joinBashWords(given) : given;
      const current = words.at(-1) ?? '';
      const skipped = shell === 'bash' ? cutLength(current) : 0;
      for (const { value, description } of await candidatesFor(program, words, knownValues)) {
        const text = value.slice(skipped);
        process.stdout.write(`${text}\t${description.replaceAll(/\s+/g, ' ')}\n`);
      }
    });
}
