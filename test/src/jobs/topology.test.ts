/** The streams of a topology on the server: discovered, and compared before a change. */
import { jetstreamManager } from '@nats-io/jetstream';
import { defineTopology, discoverQueues, reconcileTopology } from '@stratum/jobs';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { testNamespace } from '../harness/index.js';

test('queues are found on the server by their prefix alone', async () => {
  const { connection, prefix } = await testNamespace();
  expect(await discoverQueues(connection, prefix)).toEqual([]);
  await reconcileTopology(
    connection,
    defineTopology({ prefix, queues: [{ name: 'paper' }, { name: 'letters' }] }),
  );
  await reconcileTopology(
    connection,
    defineTopology({ prefix: `${prefix}_other`, queues: [{ name: 'else' }] }),
  );
  expect(await discoverQueues(connection, prefix)).toEqual(['letters', 'paper']);
});

test('a dry run reports the changes and makes none', async () => {
  const { connection, prefix } = await testNamespace();
  const topology = defineTopology({ prefix, queues: [{ name: 'letters' }] });
  const planned = await reconcileTopology(connection, topology, { dryRun: true });
  expect(planned.created.length).toBeGreaterThan(5);
  expect(planned).toMatchObject({ updated: [], unchanged: [] });
  expect(await discoverQueues(connection, prefix)).toEqual([]);
  expect(await reconcileTopology(connection, topology)).toEqual(planned);

  const slower = defineTopology({
    prefix,
    queues: [{ name: 'letters' }, { name: 'paper' }],
    ackWaitMs: 9_000,
  });
  const change = await reconcileTopology(connection, slower, { dryRun: true });
  expect(change.updated.length).toBeGreaterThan(0);
  expect(await reconcileTopology(connection, topology)).toMatchObject({ created: [], updated: [] });
  expect(await reconcileTopology(connection, slower)).toEqual(change);
});

test('what an operator has raised is kept, logged, and lowered on request alone', async () => {
  const { connection, prefix } = await testNamespace();
  const days = (count: number): number => count * 86_400e9;
  const topology = defineTopology({ prefix, queues: [{ name: 'letters' }], eventsMaxBytes: 50_000_000 });
  await reconcileTopology(connection, topology);
  const { eventStream, deadStream, resultStream } = topology.names;
  const manager = await jetstreamManager(connection);
  await manager.streams.update(eventStream, { max_bytes: 90_000_000, max_age: days(30) });
  // Unlimited, and shorter than declared.
  await manager.streams.update(deadStream, { max_age: 0 });
  await manager.streams.update(resultStream, { max_age: days(0.5), description: 'ours' });
  const read = async (name: string): Promise<object> => (await manager.streams.info(name)).config;

  const lines: Record<string, unknown>[] = [];
  const logger = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const report = await reconcileTopology(connection, topology, { logger });
  expect(report).toMatchObject({ created: [], updated: [resultStream] });
  expect(report.changes).toEqual([{ name: resultStream, setting: 'max_age', from: days(0.5), to: days(1) }]);
  expect(report.kept.map(({ name, setting }) => `${name} ${setting}`)).toEqual([
    `${deadStream} max_age`,
    `${eventStream} max_age`,
    `${eventStream} max_bytes`,
  ]);
  expect(lines).toMatchObject([
    { level: 40, stream: resultStream, setting: 'max_age' },
    ...report.kept.map(({ name: stream, ...change }) => ({ level: 40, stream, ...change })),
  ]);
  expect(await read(eventStream)).toMatchObject({ max_bytes: 90_000_000, max_age: days(30) });
  expect(await read(deadStream)).toMatchObject({ max_age: 0 });
  expect(await read(resultStream)).toMatchObject({ max_age: days(1), description: 'ours' });

  // A change of another setting carries the raised ones along.
  const more = defineTopology({ prefix, queues: [{ name: 'letters' }], eventsMaxBytes: 95_000_000 });
  expect((await reconcileTopology(connection, more, { logger })).updated).toEqual([eventStream]);
  expect(await read(eventStream)).toMatchObject({ max_bytes: 95_000_000, max_age: days(30) });

  expect((await reconcileTopology(connection, topology, { logger, lower: true })).kept).toEqual([]);
  expect(await read(eventStream)).toMatchObject({ max_bytes: 50_000_000, max_age: days(7) });
  expect(await read(deadStream)).toMatchObject({ max_age: days(30) });
});
