/** The streams of a topology on the server: discovered, and compared before a change. */
import { defineTopology, discoverQueues, reconcileTopology } from '@stratum/jobs';
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
