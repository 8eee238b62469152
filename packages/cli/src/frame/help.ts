/** `stratum help <command>` */
import type { Command } from 'commander';
import { didYouMean } from './near-names.js';
import { root, visible } from './frame.js';
import { typed } from './invocation.js';

/** @throws Error with near names when there is no such command */
export function showHelp(words: string[], _options: unknown, own: Command): void {
  let command = root(own);
  for (const word of words) {
    const known = visible(command);
    const found = known.find((each) => each.name() === word);
    if (found === undefined) {
      const names = known.map((each) => each.name());
      const above = words.slice(0, words.indexOf(word)).join(' ');
      throw new Error(
        `Unknown command "${words.join(' ')}". ${didYouMean(word, names, names.length === 0 ? '' : `List the commands with: ${typed(`help ${above}`)}`)}`.trimEnd(),
      );
    }
    command = found;
  }
  command.outputHelp();
}
