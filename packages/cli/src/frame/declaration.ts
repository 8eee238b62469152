/**
 * A command is declared once, as data: parser, help, completion and reference derive from it. A declaration imports nothing heavy; the
 * module that does the work is loaded when the command runs.
 */
import type { ValueType } from './value-types.js';

/** In this order in the help. */
export const GROUPS = [
  'Getting started',
  'Tasks',
  'Queues and workers',
  'Tenants and their data',
  'HTTP API and webhooks',
  'Database',
  'Backup',
  'This command',
] as const;
export type CommandGroup = (typeof GROUPS)[number];

/** Names that only heavy modules know are loaded for the command that runs, is completed or is explained. */
export type Choices = readonly string[] | (() => Promise<readonly string[]>);

interface Place {
  readonly description: string;
  /** Default: any text. */
  readonly type?: ValueType;
  /** The words that it takes. */
  readonly choices?: Choices;
  /** Takes a comma-separated list of the choices, or `all`. */
  readonly list?: boolean;
  readonly default?: unknown;
  /** The default as the help prints it. */
  readonly defaultText?: string;
}

export interface ArgumentDeclaration extends Place {
  /** `<required>`, `[optional]`, `[several...]`. */
  readonly name: string;
}

export interface OptionDeclaration extends Place {
  /** `-c, --concurrency <count>` */
  readonly flags: string;
  readonly required?: boolean;
}

/** Takes what commander passes: the arguments, the options, the command. Each handler types its own. */
export type Handler = (...given: never[]) => void | Promise<void>;

export interface CommandDeclaration {
  readonly name: string;
  /** One line, in the list of commands. */
  readonly summary: string;
  /** Follows the summary in the command's own help. */
  readonly description?: string;
  readonly arguments?: readonly ArgumentDeclaration[];
  readonly options?: readonly OptionDeclaration[];
  /** What `--json` prints; `false`: the command has no such option. Default: `print JSON`. */
  readonly json?: false | string;
  /** The words after the command's path, one line for each example. */
  readonly examples: readonly string[];
  /** Whole lines after the options in the help. `words` are those of the command line. */
  readonly notes?: string | ((words: readonly string[]) => Promise<string>);
  /** Loads the function that does the work. */
  readonly run: () => Promise<Handler>;
}

export interface CommandFamily {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly CommandDeclaration[];
}

interface TopLevel {
  readonly group: CommandGroup;
  /** Left out of help and reference: it serves programs. */
  readonly hidden?: boolean;
}

/** A command of the first level: alone, or with commands below it. The catalogue has its name. */
export type TopLevelCommand = (Omit<CommandDeclaration, 'name'> | Omit<CommandFamily, 'name'>) & TopLevel;
export type NamedCommand = (CommandDeclaration | CommandFamily) & TopLevel;

export function isFamily(command: CommandDeclaration | CommandFamily): command is CommandFamily {
  return 'commands' in command;
}

/** The declaration that the words name; options may lie between the names. */
export function locate(
  commands: readonly NamedCommand[],
  words: readonly string[],
): CommandDeclaration | CommandFamily | undefined {
  let among: readonly (CommandDeclaration | CommandFamily)[] = commands;
  let found: CommandDeclaration | CommandFamily | undefined;
  for (const word of words) {
    if (word.startsWith('-')) continue;
    const next = among.find(({ name }) => name === word);
    if (next === undefined) return found;
    found = next;
    if (!isFamily(next)) return next;
    among = next.commands;
  }
  return found;
}
