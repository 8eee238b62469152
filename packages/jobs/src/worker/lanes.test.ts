import { expect, test } from 'vitest';
import { defineTopology } from '../topology/define.js';
import { lanesOf } from './lanes.js';

test('priority within a queue counts more than the weight of the queue', () => {
  const topology = defineTopology({
    queues: [
      { name: 'sync', weight: 'high' },
      { name: 'intel', weight: 'low' },
    ],
  });
  const weightOf = (queue: string, priority: string): number =>
    lanesOf(topology, ['sync', 'intel']).find((lane) => lane.queue === queue && lane.priority === priority)
      ?.weight ?? 0;
  expect(weightOf('intel', 'high')).toBeGreaterThan(weightOf('sync', 'low'));
  expect(weightOf('sync', 'high')).toBeGreaterThan(weightOf('intel', 'high'));
});
