/** A real NATS server that is older than the fixed releases is refused by whatever connects to it, at the start and after a reconnect. */
import { connectToNats, isJetStreamUp } from '@stratum/jobs';
import { startNatsServer } from '@stratum/jobs/embedded';
import { connect } from '@nats-io/transport-node';
import { jetstreamManager } from '@nats-io/jetstream';
import { expect, inject, onTestFinished, test } from 'vitest';
import { runStratum } from '../cli/stratum.js';
import { freePort, spawnProgram, testDatabase, testKeyText, waitFor } from '../harness/index.js';
import { oldNatsServer } from '../harness/old-nats-server.js';

const TOO_OLD = (version: string): string => `has version ${version}; version 2.12.6 or newer is needed`;

test('services and commands end with a word about its version, and leave nothing on it', async (context) => {
  const old = await oldNatsServer(context);
  const url = await old.start(await freePort());
  await expect(connectToNats({ servers: url, name: 'test' })).rejects.toMatchObject({
    code: 'server_too_old',
    details: { version: old.version },
  });
  const database = await testDatabase();
  const settings = {
    NATS_URL: url,
    DATABASE_URL: database.url,
    STRATUM_CREDENTIALS_KEY: testKeyText(),
    API_PORT: '0',
  };
  for (const service of ['scheduler', 'api', 'default-worker']) {
    const program = spawnProgram(`services/${service}/dist/main.js`, settings);
    expect(await program.exited(), service).toBeGreaterThan(0);
    expect(program.output(), service).toContain(TOO_OLD(old.version));
  }
  for (const command of [
    ['status'],
    ['queues'],
    ['call', 'sync_campaign_data', '{"tenant_id":1,"platform":"meta"}'],
  ]) {
    const { code, stderr } = await runStratum(command, settings);
    expect(code, command.join(' ')).toBeGreaterThan(0);
    expect(stderr, command.join(' ')).toContain(TOO_OLD(old.version));
  }
  const plain = await connect({ servers: url });
  onTestFinished(() => plain.close());
  expect(await (await jetstreamManager(plain)).streams.list().next()).toEqual([]);
});

test('a connection that comes back to an older server counts as one without JetStream', async (context) => {
  const old = await oldNatsServer(context);
  const port = await freePort();
  const recent = await startNatsServer({ binary: inject('natsBinary'), port });
  onTestFinished(() => recent.stop());
  const connection = await connectToNats({ servers: recent.url, name: 'test' });
  onTestFinished(() => connection.close());
  expect(await isJetStreamUp(connection)).toBe(true);
  await recent.stop();
  await old.start(port);
  await waitFor('the reconnect', () => connection.info?.version === old.version);
  await connection.flush();
  expect(await isJetStreamUp(connection)).toBe(false);
});
