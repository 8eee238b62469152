import { expect, test } from 'vitest';
import { Turns } from './turns.js';

test('one piece of work in a turn of the loop, the senders one after the other', async () => {
  const turns = new Turns();
  const began: string[] = [];
  let between = 0;
  const piece = async (sender: string, name: string): Promise<void> => {
    await turns.next(sender);
    began.push(name);
    setImmediate(() => between++);
  };
  const seen = await Promise.all([
    piece('many', 'many-1'),
    piece('many', 'many-2'),
    piece('many', 'many-3'),
    piece('one', 'one-1').then(() => [...began]),
  ]);
  expect(seen[3]).toEqual(['many-1', 'one-1']);
  expect(began).toEqual(['many-1', 'one-1', 'many-2', 'many-3']);
  expect(between).toBeGreaterThanOrEqual(2);
  await piece('later', 'later-1');
  expect(began.at(-1)).toBe('later-1');
});
