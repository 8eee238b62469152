/** The possible next words of a command line, found by walking the commands' own definitions: a command that is added is completed. */
import { Help, type Argument, type Command, type Option } from 'commander';

export interface Candidate {
  value: string;
  description: string;
}

/** Values by what an argument or an option calls them, such as `task` for `<task>`. */
export type ValueSource = (term: string, line: CommandLine) => Promise<readonly Candidate[]>;

export interface CommandLine {
  command: Command;
  /** Arguments so far. */
  operands: readonly string[];
}

interface Position extends CommandLine {
  /** The option whose value comes next. */
  pending: Option | undefined;
  /** Options so far. */
  given: ReadonlySet<Option>;
  /** `--` was passed: only arguments follow. */
  onlyOperands: boolean;
}

/** @param words after the program's name; the last one is being typed and may be empty */
export async function candidatesFor(
  program: Command,
  words: readonly string[],
  values: ValueSource,
): Promise<Candidate[]> {
  const current = words.at(-1) ?? '';
  const position = walk(program, words.slice(0, -1));
  const found = await candidatesAt(position, current, values);
  return found.filter(({ value }) => value.startsWith(current));
}

async function candidatesAt(
  position: Position,
  current: string,
  values: ValueSource,
): Promise<readonly Candidate[]> {
  const { command, operands, pending, onlyOperands } = position;
  if (pending !== undefined) return valuesOf(pending, position, values);
  const [flag = '', ...value] = current.split('=');
  if (flag.startsWith('--') && value.length > 0 && !onlyOperands) {
    const option = findOption(command, flag);
    const found = option === undefined ? [] : await valuesOf(option, position, values);
    return found.map((each) => ({ ...each, value: `${flag}=${each.value}` }));
  }
  if (current.startsWith('-') && !onlyOperands) return optionsOf(position);
  const commands =
    operands.length > 0
      ? []
      : new Help()
          .visibleCommands(command)
          .map((each) => ({ value: each.name(), description: each.summary() || each.description() }));
  const argument = argumentAt(command, operands.length);
  const found = argument === undefined ? [] : await valuesOf(argument, position, values);
  const all = [...commands, ...found];
  // Where no other word is possible, options are.
  return all.length === 0 && current === '' && argument === undefined ? optionsOf(position) : all;
}

function walk(program: Command, words: readonly string[]): Position {
  let command = program;
  let pending: Option | undefined;
  let onlyOperands = false;
  const operands: string[] = [];
  const given = new Set<Option>();
  for (const word of words) {
    const isFlag = word.startsWith('-') && word !== '-' && !onlyOperands;
    if (pending !== undefined && (pending.required || !isFlag)) {
      pending = undefined;
      continue;
    }
    pending = undefined;
    if (word === '--') {
      onlyOperands = true;
    } else if (isFlag) {
      const option = findOption(command, word.split('=')[0] ?? '');
      if (option === undefined) continue;
      given.add(option);
      if (takesValue(option) && !word.includes('=')) pending = option;
    } else {
      const next = operands.length > 0 ? undefined : subcommand(command, word);
      if (next === undefined) operands.push(word);
      else command = next;
    }
  }
  // An optional value may be left out: what begins with a dash is the next option.
  return { command, operands, pending, given, onlyOperands };
}

function subcommand(command: Command, word: string): Command | undefined {
  return command.commands.find((each) => each.name() === word || each.aliases().includes(word));
}

/** Options of the commands above hold, too. */
function findOption(command: Command, flag: string): Option | undefined {
  for (let each: Command | null = command; each !== null; each = each.parent) {
    const found = each.options.find(({ long, short }) => long === flag || short === flag);
    if (found !== undefined) return found;
  }
  return undefined;
}

function takesValue(option: Option): boolean {
  return option.required || option.optional;
}

function optionsOf({ command, given }: Position): Candidate[] {
  return new Help()
    .visibleOptions(command)
    .filter((option) => !given.has(option) || isRepeatable(option))
    .map((option) => ({ value: option.long ?? option.short ?? '', description: option.description }));
}

function isRepeatable(option: Option): boolean {
  return option.variadic || option.flags.includes('...');
}

function argumentAt({ registeredArguments }: Command, index: number): Argument | undefined {
  const last = registeredArguments.at(-1);
  return registeredArguments[index] ?? (last?.variadic === true ? last : undefined);
}

async function valuesOf(
  place: Argument | Option,
  line: CommandLine,
  values: ValueSource,
): Promise<readonly Candidate[]> {
  const choices = place.argChoices;
  if (choices !== undefined) return choices.map((value) => ({ value, description: '' }));
  const term = 'flags' in place ? /[<[]([^>\].]+)/.exec(place.flags)?.[1] : place.name();
  return term === undefined ? [] : values(term, line);
}
