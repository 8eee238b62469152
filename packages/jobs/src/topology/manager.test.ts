import { JetStreamApiError } from '@nats-io/jetstream';
import { expect, test } from 'vitest';
import { asking } from './manager.js';

const fromServer = (code: number, error: number): Error =>
  new JetStreamApiError({ code, err_code: error, description: 'refused' });

/** Fails as often as it is told to. */
function failing(times: number, error: Error): { ask: () => Promise<string>; asked: () => number } {
  let count = 0;
  const ask = async (): Promise<string> => {
    if (count++ < times) throw error;
    return 'made';
  };
  return { ask, asked: () => count };
}

test.each<[string, Error]>([
  ['lacks servers for the copies', fromServer(400, 10_005)],
  ['has no leader', fromServer(503, 10_008)],
])('a cluster that %s is asked again', async (_label, error) => {
  const { ask, asked } = failing(2, error);
  expect(await asking(ask)).toBe('made');
  expect(asked()).toBe(3);
});

test('a cluster that stays incomplete is asked until the deadline', async () => {
  const { ask } = failing(Infinity, fromServer(400, 10_005));
  await expect(asking(ask, performance.now() + 700)).rejects.toThrow('refused');
});

test('what the server refuses for good is asked once', async () => {
  const { ask, asked } = failing(1, fromServer(400, 10_052));
  await expect(asking(ask)).rejects.toThrow('refused');
  expect(asked()).toBe(1);
});
