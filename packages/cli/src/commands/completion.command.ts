import { SHELLS } from '../completion/shells.js';
import type { TopLevelCommand } from '../frame/declaration.js';

export const completionCommand: TopLevelCommand = {
  group: 'This command',
  summary: 'Print a completion script for your shell.',
  arguments: [{ name: '<shell>', description: 'your shell', choices: SHELLS }],
  json: false,
  examples: [],
  notes: `Examples:
  echo 'source <(stratum completion bash)' >> ~/.bashrc
  echo 'source <(stratum completion zsh)' >> ~/.zshrc
  stratum completion fish > ~/.config/fish/completions/stratum.fish`,
  run: async () => (await import('./completion.js')).printScript,
};

/** The scripts call it. */
export const completeCommand: TopLevelCommand = {
  group: 'This command',
  hidden: true,
  summary: 'Print a line for each candidate: its value, a tab, its description.',
  arguments: [
    { name: '<shell>', description: 'shell that asks', choices: SHELLS },
    { name: '[words...]', description: "words after the program's name; the last one is being typed" },
  ],
  json: false,
  examples: [],
  run: async () => (await import('./completion.js')).complete,
};
