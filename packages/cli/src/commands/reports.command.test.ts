import { REPORTS } from '@stratum/shared/reports';
import { expect, test } from 'vitest';
import { reportsCommand } from './reports.command.js';

test('the commands are those of the sets', () => {
  if (!('commands' in reportsCommand)) throw new Error('It has no commands.');
  expect(reportsCommand.commands.map(({ name, summary }) => [name, summary])).toEqual(
    REPORTS.map(({ name, summary }) => [name, `${summary}.`]),
  );
});
