import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { loadCommands } from '../commands/catalogue.js';
import { stratumProgram } from '../program.js';
import {
  isFamily,
  type ArgumentDeclaration,
  type CommandDeclaration,
  type OptionDeclaration,
} from './declaration.js';

interface Leaf {
  path: string[];
  declaration: CommandDeclaration;
}

const LEAVES: Leaf[] = (await loadCommands()).flatMap((command): Leaf[] =>
  isFamily(command)
    ? command.commands.map((declaration) => ({ path: [command.name, declaration.name], declaration }))
    : [{ path: [command.name], declaration: command }],
);

const isNumber = ({ type }: ArgumentDeclaration | OptionDeclaration): boolean => type?.kind === 'integer';

/** Words for the arguments before the one in question. */
const fill = (places: readonly ArgumentDeclaration[]): Promise<string[]> =>
  Promise.all(
    places.map(async (place) => {
      const { choices } = place;
      const [choice = 'x'] = (typeof choices === 'function' ? await choices() : choices) ?? [];
      return isNumber(place) ? '1' : choice;
    }),
  );

interface NumericPlace {
  label: string;
  /** The command line with a value in this place. */
  line: (value: string) => string[];
}

async function placesOf({ path, declaration }: Leaf): Promise<NumericPlace[]> {
  const { arguments: operands = [], options = [] } = declaration;
  const before = await Promise.all(operands.map((_, index) => fill(operands.slice(0, index))));
  return [
    ...options.filter(isNumber).map(({ flags }) => ({
      label: `${path.join(' ')} ${flags}`,
      line: (value: string) => [...path, `${/--[a-z-]+/.exec(flags)?.[0]}=${value}`],
    })),
    ...operands.flatMap((place, index) =>
      isNumber(place)
        ? [
            {
              label: `${path.join(' ')} ${place.name}`,
              // Every other required option is missing, too: the value is refused first.
              line: (value: string) => [
                ...path,
                ...requiredOf(options),
                '--',
                ...(before[index] ?? []),
                value,
              ],
            },
          ]
        : [],
    ),
  ];
}
const PLACES = (await Promise.all(LEAVES.map(placesOf))).flat();

function requiredOf(options: readonly OptionDeclaration[]): string[] {
  return options
    .filter(({ required }) => required)
    .map((option) => `${/--[a-z-]+/.exec(option.flags)?.[0]}=${isNumber(option) ? '1' : 'x'}`);
}

/** What a flag or an argument that takes a number calls it. */
const NUMBER_NAMES = /[<[](count|port|speed|number|position|sequence|delivery|profile|deliveries)/;

function idle(command: Command): Command {
  if (command.commands.length === 0) command.action(() => undefined);
  for (const each of command.commands) idle(each);
  return command;
}

async function refusal(words: readonly string[]): Promise<string> {
  try {
    await idle(await stratumProgram(words)).parseAsync(words, { from: 'user' });
    return 'taken';
  } catch (error) {
    return error instanceof Error && 'code' in error
      ? `${String(error.code)}: ${error.message}`
      : String(error);
  }
}

describe('numbers of the command line', () => {
  test('are declared as numbers', () => {
    const places = LEAVES.flatMap(({ path, declaration }) =>
      [...(declaration.options ?? []), ...(declaration.arguments ?? [])].map((place) => ({
        name: `${path.join(' ')} ${'flags' in place ? place.flags : place.name}`,
        place,
      })),
    );
    const undeclared = places.filter(
      ({ name, place }) => NUMBER_NAMES.test(name) && !isNumber(place) && place.type?.kind !== 'decimal',
    );
    expect(undeclared.map(({ name }) => name)).toEqual([]);
    expect(PLACES.length).toBeGreaterThan(40);
  });

  test.each([
    '--tasks-per-second',
    '--task-ms',
    '--webhooks-per-second',
    '--customer-events-per-second',
    '--sync-rows-per-second',
    '--peak',
    '--utilisation',
  ])('capacity %s takes fractions in its range, and refuses anything else', async (flag) => {
    for (const value of ['abc', '-1', '1e3', '', ' ', '0x10', 'Infinity', 'NaN', '99999999999', '.5', '1,5'])
      expect(await refusal(['capacity', `${flag}=${value}`]), `"${value}"`).toMatch(
        /^commander\.invalidArgument: .*Give a number from/,
      );
    expect(await refusal(['capacity', `${flag}=${flag === '--utilisation' ? '0.5' : '1.5'}`])).toBe('taken');
  });

  test.each(PLACES)('$label refuses anything but a whole number in its range', async ({ line }) => {
    for (const value of ['abc', '1.5', '1e9', '', ' ', '0x10', '99999999999999999999'])
      expect(await refusal(line(value)), `"${value}"`).toMatch(
        /^commander\.invalidArgument: .*Give a whole number/,
      );
  });

  test.each(PLACES.filter(({ label }) => !label.includes('--priority')))(
    '$label refuses -1',
    async ({ line }) => {
      expect(await refusal(line('-1'))).toMatch(/^commander\.invalidArgument: .*Give a whole number/);
    },
  );

  test('a number in its range is taken', async () => {
    expect(await refusal(['workflow', 'list', '--limit', '10'])).toBe('taken');
    expect(await refusal(['rules', 'save', 'x', '--tenant', '1', '--priority', '-5'])).toBe('taken');
    expect(await refusal(['webhooks', 'replay', '1', '2', '--tenant', '1'])).toBe('taken');
  });
});
