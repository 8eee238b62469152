/** The rights of the shipped user `platform` are enough, and what it does is in the audit log. */
import { connectToNats, createClient, reconcileTopology } from '@stratum/jobs';
import { ensureAuditStream, loadConfiguration, platformTopology, TOPOLOGY_SETTINGS } from '@stratum/shared';
import { jetstreamManager } from '@nats-io/jetstream';
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
    await ensureAuditStream(connection, {
      STRATUM_PREFIX: 'stratum',
      STRATUM_REPLICAS: 1,
      AUDIT_MAX_BYTES: 1_048_576,
    });
    const manager = await jetstreamManager(connection);
    await manager.consumers.delete('QUEUE_SYNC', 'sync-normal');
    const client = createClient({ connection, topology });
    onTestFinished(async () => {
      await client.close();
      await connection.close();
    });
    for (const tag of tags('waiting', 3)) await client.enqueue(note, { tag }, { tenant: '1' });
    const folder = await newFolder();
    const env = { NATS_URL: server.urlOf('platform') };
    const reconciled = await runStratum(['topology', 'reconcile'], env);
    expect([reconciled.code, reconciled.stderr]).toEqual([0, '']);
    const backup = await runStratum(['backup', folder, '--without-database'], env);
    expect([backup.code, backup.stderr]).toEqual([0, '']);
    expect(await client.purge('default')).toBe(3);
    const restore = await runStratum(['restore', folder, '--without-database', '--replace', '--yes'], env);
    expect([restore.code, restore.stderr]).toEqual([0, '']);
    expect(await client.waitingOf('1')).toMatchObject({ default: { normal: 3 } });
    const { state } = await manager.streams.info('AUDIT');
    const audited = await Promise.all(
      Array.from({ length: state.messages }, async (_, index) =>
        (await manager.streams.getMessage('AUDIT', { seq: index + 1 }))?.json(),
      ),
    );
    const by = { tenant_id: 0, actor: expect.stringMatching(/^cli\/.+@.+/) };
    expect(audited).toMatchObject([
      { ...by, action: 'topology.reconciled', details: { created: ['QUEUE_SYNC/sync-normal'] } },
      { ...by, action: 'backup.created', details: { database: false } },
      { ...by, action: 'backup.restored', details: { database: false, streams: true } },
    ]);
  },
  TIMEOUT_MS,
);
