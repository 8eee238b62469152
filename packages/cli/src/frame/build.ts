/** Commander's commands, made from their declarations. */
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import {
  isFamily,
  type ArgumentDeclaration,
  type CommandDeclaration,
  type CommandFamily,
  type OptionDeclaration,
} from './declaration.js';
import { didYouMean } from './near-names.js';

/** Choices and notes are loaded only for commands whose help, values or action are wanted. */
export interface Loading {
  wants: (command: CommandDeclaration) => boolean;
  /** Of the command line, from the command's name on. */
  words: readonly string[];
  /** Whether help is asked for: notes are a part of it alone. */
  helps: boolean;
  /** How examples call the program. */
  invocation: string;
}

/** @param path the command's own name, and those above it */
export async function build(
  declaration: CommandDeclaration | CommandFamily,
  path: string,
  loading: Loading,
): Promise<Command> {
  const command = new Command(declaration.name).summary(declaration.summary);
  if (isFamily(declaration)) {
    command.description(declaration.summary);
    for (const each of declaration.commands)
      command.addCommand(await build(each, `${path} ${each.name}`, loading));
    return command;
  }
  const { summary, description, examples, json = 'print JSON', run } = declaration;
  const isWanted = loading.wants(declaration);
  command.description(description === undefined ? summary : `${summary} ${description}`);
  for (const each of declaration.arguments ?? []) command.addArgument(await argumentOf(each, isWanted));
  for (const each of declaration.options ?? []) command.addOption(await optionOf(each, isWanted));
  if (json !== false) command.option('--json', json);
  const { notes } = declaration;
  if (notes !== undefined && isWanted && loading.helps)
    command.addHelpText('after', `\n${typeof notes === 'string' ? notes : await notes(loading.words)}`);
  const lines = examples.map((line) => `  ${loading.invocation} ${path} ${line}`.trimEnd());
  if (lines.length > 0)
    command.addHelpText('after', `\nExample${lines.length > 1 ? 's' : ''}:\n${lines.join('\n')}`);
  return command.action(async (...given: unknown[]) => {
    const done: unknown = Reflect.apply(await run(), undefined, given);
    await done;
  });
}

async function argumentOf(declaration: ArgumentDeclaration, isWanted: boolean): Promise<Argument> {
  const argument = new Argument(declaration.name, declaration.description);
  if (declaration.default !== undefined) argument.default(declaration.default, declaration.defaultText);
  await addValues(argument, declaration, isWanted);
  return argument;
}

async function optionOf(declaration: OptionDeclaration, isWanted: boolean): Promise<Option> {
  const option = new Option(declaration.flags, declaration.description);
  if (declaration.default !== undefined) option.default(declaration.default, declaration.defaultText);
  if (declaration.required === true) option.makeOptionMandatory();
  await addValues(option, declaration, isWanted);
  return option;
}

async function addValues(
  place: Argument | Option,
  { type, choices, list }: ArgumentDeclaration | OptionDeclaration,
  isWanted: boolean,
): Promise<void> {
  if (type !== undefined) place.argParser((word: string, previous: unknown) => type.parse(word, previous));
  if (choices === undefined || !isWanted) return;
  const names = typeof choices === 'function' ? await choices() : choices;
  place.choices(names);
  place.argParser((word: string) => (list === true ? several(word, names) : one(word, names)));
}

function several(word: string, names: readonly string[]): string[] {
  if (word === 'all') return [...names];
  return word.split(',').map((part) => one(part.trim(), names));
}

function one(word: string, names: readonly string[]): string {
  if (names.includes(word)) return word;
  throw new InvalidArgumentError(didYouMean(word, names, `Allowed: ${names.join(', ')}.`));
}
