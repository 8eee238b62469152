import type { Command } from 'commander';
import { cutLength, joinBashWords } from '../completion/bash-words.js';
import { candidatesFor } from '../completion/candidates.js';
import { completionScript, type Shell } from '../completion/shells.js';
import { knownValues } from '../completion/values.js';
import { root } from '../frame/frame.js';
import { printable } from '../terminal.js';

export function printScript(shell: Shell): void {
  process.stdout.write(completionScript(shell, [process.execPath, process.argv[1] ?? 'stratum']));
}

export async function complete(
  shell: Shell,
  given: string[],
  _options: unknown,
  command: Command,
): Promise<void> {
  const words = shell === 'bash' ? joinBashWords(given) : given;
  const current = words.at(-1) ?? '';
  const skipped = shell === 'bash' ? cutLength(current) : 0;
  for (const { value, description } of await candidatesFor(root(command), words, knownValues)) {
    const text = value.slice(skipped);
    process.stdout.write(`${printable(text)}\t${printable(description.replaceAll(/\s+/g, ' '))}\n`);
  }
}
