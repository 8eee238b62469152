import { Argument, Command, Option } from 'commander';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cutLength, joinBashWords } from './bash-words.js';
import { candidatesFor, type ValueSource } from './candidates.js';

const program = new Command('program')
  .helpCommand(false)
  .option('--verbose', 'tell more')
  .addCommand(
    new Command('call')
      .description('Call it.')
      .argument('<task>', 'name')
      .argument('[payload]', 'what')
      .option('-f, --field <name=value...>', 'a field')
      .addOption(new Option('--lane <lane>', 'where').choices(['high', 'low']))
      .option('--wait [duration]', 'how long')
      .option('--json', 'print JSON'),
  )
  .addCommand(
    new Command('book')
      .alias('b')
      .addCommand(new Command('show').argument('<entry>'))
      .addCommand(new Command('shut').addArgument(new Argument('<door...>').choices(['front', 'back']))),
  )
  .addCommand(new Command('secret'), { hidden: true });

const values: ValueSource = async (term, { operands }) =>
  ({
    task: [
      { value: 'sync', description: 'Syncs.' },
      { value: 'sweep', description: '' },
    ],
    entry: [{ value: 'nightly', description: '' }],
    'name=value': [{ value: `${operands[0]}.day=`, description: '' }],
  })[term] ?? [];

async function offered(line: string): Promise<string[]> {
  return (await candidatesFor(program, line.split(' '), values)).map(({ value }) => value);
}

describe('candidates for the next word', () => {
  test.each([
    ['', ['call', 'book']],
    ['ca', ['call']],
    ['sec', []],
    ['book sh', ['show', 'shut']],
    ['b show ', ['nightly']],
    ['book show x ', ['--help']],
    ['call s', ['sync', 'sweep']],
    ['call sy', ['sync']],
    ['call sync --', ['--field', '--lane', '--wait', '--json', '--help']],
    ['call --json sync --', ['--field', '--lane', '--wait', '--help']],
    ['call -f a=1 sync --f', ['--field']],
    ['call sync --lane ', ['high', 'low']],
    ['call sync --lane h', ['high']],
    ['call sync --lane=l', ['--lane=low']],
    ['call sync -f ', ['sync.day=']],
    ['call --lane high sw', ['sweep']],
    ['call --wait 5s sw', ['sweep']],
    ['call --wait --json sw', ['sweep']],
    ['--verbose call sy', ['sync']],
    ['call --unknown sy', ['sync']],
    ['call -- --l', []],
    ['book shut front b', ['back']],
    ['nowhere ', ['--verbose', '--help']],
  ])('after "%s"', async (line, expected) => {
    expect(await offered(line)).toEqual(expected);
  });
});

describe('words as bash cuts them', () => {
  test.each([
    [['--queue', '=', 'sy'], ['--queue=sy']],
    [['--queue', '='], ['--queue=']],
    [
      ['-f', 'a', '=', 'b', '--x'],
      ['-f', 'a=b', '--x'],
    ],
    [
      ['at', '10', ':', '30'],
      ['at', '10:30'],
    ],
    [
      ['call', ''],
      ['call', ''],
    ],
  ])('%j are %j', (cut, whole) => {
    expect(joinBashWords(cut)).toEqual(whole);
  });

  test('lose nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (words) => {
        expect(joinBashWords(words).join('')).toBe(words.join(''));
      }),
    );
  });

  test('bash inserts the text after its last word break', () => {
    expect(['--queue=sy', 'a=b:c', 'plain'].map((word) => word.slice(cutLength(word)))).toEqual([
      'sy',
      'c',
      'plain',
    ]);
  });
});
