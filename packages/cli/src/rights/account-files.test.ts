import { namesFor } from '@stratum/jobs';
import { expect, test } from 'vitest';
import { accountFiles } from './account-files.js';

test('shards of a queue have the rights of its stream, and the server spreads what others publish', () => {
  const shards = new Map([
    ['sync', { shards: 2, drain: 3 }],
    ['ml', { shards: 1, drain: 1 }],
  ] as const);
  const filesOf = (given: typeof shards): string =>
    accountFiles({
      names: namesFor('own', given),
      queues: ['sync', 'ml'],
      shards: given,
      producers: [],
      contracts: [],
    }).get('accounts.conf') ?? '';
  const text = filesOf(shards);
  for (const stream of ['QUEUE_SYNC', 'QUEUE_SYNC~0', 'QUEUE_SYNC~1', 'QUEUE_SYNC~2', 'QUEUE_ML~0'])
    for (const right of ['MSG.NEXT', 'PAUSE'])
      expect(text).toContain(`"$JS.API.CONSUMER.${right}.own_${stream}.*"`);
  expect(text).not.toContain('QUEUE_ML~1');
  // What is only emptied gets nothing new.
  expect(text.match(/mappings: \{\n(.*?)\n {4}\}/s)?.[1]?.trim()).toBe(
    '"own.tasks.sync.*.*.*.*": "own.tasks.{{partition(2,4)}}.sync.{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}.{{wildcard(4)}}"',
  );
  expect(filesOf(new Map())).not.toContain('mappings');
});
