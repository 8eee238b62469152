/**
 * Text on its way to a terminal. Names, errors and bodies come from people and machines that nobody vetted: a control character among
 * them would move the cursor, change the title or hide text. So all of them are shown as escapes, and the only sequences that a terminal
 * obeys are those of `styled`, which carry a mark that no data can know.
 */
import { MISLEADING } from '@stratum/jobs/bounds';
import { once } from 'node:events';
import { format, styleText } from 'node:util';

/** Control characters except tab and line end, and what no name may contain. */
const CONTROLS = new RegExp(`(?!\\t|\\n|\\r\\n)\\p{Cc}|${MISLEADING}`, 'gu');
const ESCAPE = '\x1b';
const PRIVATE_USE = 0xe000;
const PRIVATE_USE_SIZE = 6_400;
const MARK_LENGTH = 6;

let mark: string | undefined;

/** Stands for ESC in our own text until it is printed. */
function ownMark(): string {
  mark ??= [...crypto.getRandomValues(new Uint16Array(MARK_LENGTH))]
    .map((number) => String.fromCharCode(PRIVATE_USE + (number % PRIVATE_USE_SIZE)))
    .join('');
  return mark;
}

type Style = Parameters<typeof styleText>[0];

/** Coloured where the output is a terminal that wants it. */
export function styled(style: Style, text: string): string {
  if (!process.stdout.isTTY || process.env['NO_COLOR']) return text;
  return styleText(style, printable(text)).replaceAll(ESCAPE, ownMark());
}

/** With the escapes of JSON in place of control characters, so that printed JSON stays the same JSON. */
export function printable(text: string): string {
  return text.replaceAll(CONTROLS, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Prints data for programs: as they are into a file or a pipe, with escapes on a terminal. Resolves when more can be taken. */
export async function printData(text: string): Promise<void> {
  if (!process.stdout.write(process.stdout.isTTY ? printable(text) : text))
    await once(process.stdout, 'drain');
}

/** From now on, everything that `console` prints passes through here. */
export function guardConsole(): void {
  for (const name of ['log', 'info', 'warn', 'error'] as const) {
    const print = console[name].bind(console);
    console[name] = (...values: unknown[]) => {
      const text = printable(format(...values));
      print(mark === undefined ? text : text.replaceAll(mark, ESCAPE));
    };
  }
}
