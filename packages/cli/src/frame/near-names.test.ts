import { expect, test } from 'vitest';
import { didYouMean, nearNames } from './near-names.js';

const TASKS = [
  'sync_campaign_data',
  'sync_all_campaigns',
  'evaluate_rules',
  'run_predictions',
  'run_all_predictions',
];

test.each([
  ['sync_campain_data', ['sync_campaign_data']],
  ['rules', ['evaluate_rules']],
  ['SYNC', ['sync_campaign_data', 'sync_all_campaigns']],
  ['predictions', ['run_predictions', 'run_all_predictions']],
  ['evaluate_ruels', ['evaluate_rules']],
  ['zzz', []],
  ['', []],
])('near "%s" are %j', (word, expected) => {
  expect(nearNames(word, TASKS)).toEqual(expected);
});

test('two letters that were swapped are near, in a short name too', () => {
  expect(nearNames('snyc', ['sync', 'ml', 'cdp'])).toEqual(['sync']);
});

test('at most three are named, and otherwise what to do', () => {
  const many = Array.from({ length: 35 }, (_, index) => `task_${index}`);
  expect(didYouMean('task_x', many, 'List them.').match(/"/g)).toHaveLength(6);
  expect(didYouMean('zzz', many, 'List them.')).toBe('List them.');
});
