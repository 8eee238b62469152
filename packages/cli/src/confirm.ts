import { createInterface } from 'node:readline/promises';
import { printable } from './terminal.js';

/** Asks at the terminal. Whether the answer is the word. @throws Error where nobody can be asked */
export async function confirm(question: string, word: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new Error('No terminal to ask for confirmation: use --yes.');
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await prompt.question(printable(question))) === word;
  } finally {
    prompt.close();
  }
}
