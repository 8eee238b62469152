/** The rights of the shipped user `platform` are enough. */
import { connectToNats, createClient, reconcileTopology } from '@stratum/jobs';
import { loadConfiguration, platformTopology, TOPOLOGY_SETTINGS } from '@stratum/shared';
import { expect, onTestFinished, test } from 'vitest';
import { securedServer } from '../../harness/secured-server.js';
import { runStratum } from '../stratum.js';
import { newFolder, note, tags } from './site.js';

const TIMEOUT_MS = 120_000;

test(
  'the user of operators backs up and restores with the shipped accounts',
  async () => {
    const server = await securedServer();
    const connection = await connectToNats({ servers: server.urlOf('platform'), name: 'platform' });
    const topology = platformTopology(loadConfiguration(TOPOLOGY_SETTINGS, {}));
    await reconcileTopology(connection, topology);
    const client = createClient({ connection, topology });
    onTestFinished(async () => {
      await client.close();
      await connection.close();
    });
    for (const tag of tags('waiting', 3)) await client.enqueue(note, { tag }, { tenant: '1' });
    const folder = await newFolder();
    const env = { NATS_URL: server.urlOf('platform') };
    const backup = await runStratum(['backup', folder, '--without-database'], env);
    expect([backup.code, backup.stderr]).toEqual([0, '']);
    expect(await client.purge('default')).toBe(3);
    const restore = await runStratum(['restore', folder, '--without-database', '--replace', '--yes'], env);
    expect([restore.code, restore.stderr]).toEqual([0, '']);
    expect(await client.waitingOf('1')).toMatchObject({ default: { normal: 3 } });
  },
  TIMEOUT_MS,
);
