/** Logins by certificate, key and credentials file, over TLS, as every service and command makes them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectToNats, loginFrom } from '@stratum/jobs';
import { nkeys, type NatsConnection } from '@nats-io/transport-node';
import { expect, inject, onTestFinished, test } from 'vitest';
import { isInstalled, runStratum } from '../cli/stratum.js';
import { certificates, withTls } from '../harness/certificates.js';
import { dataFolder, freePort, waitFor } from '../harness/index.js';
import { securedServer, startServices } from '../harness/secured-server.js';

async function connected(settings: Parameters<typeof loginFrom>[0]): Promise<NatsConnection> {
  const connection = await connectToNats({ ...loginFrom(settings), name: 'tls-test', timeoutMs: 5_000 });
  onTestFinished(() => connection.close());
  return connection;
}

const hasOpenSsl = await isInstalled('openssl');

test.runIf(hasOpenSsl)(
  'services, commands and producers use a server that demands certificates',
  async () => {
    const { folder, ca, server: own, client } = await certificates();
    const server = await securedServer('nats-server.conf', (listen) =>
      withTls(listen, own).replace('tls {', `tls {\n  ca_file: "${ca}"\n  verify: true`),
    );
    const files = { NATS_CA: ca, NATS_CERT: client.cert, NATS_KEY: client.key };
    await startServices(server, ['scheduler', 'api', 'rules-worker'], files);

    // A password with a certificate, and a key with a certificate.
    const nkeyFile = join(folder, 'crm.nk');
    await writeFile(nkeyFile, server.crmSeed);
    const crm = await connected({ NATS_URL: `tls://${server.address}`, NATS_NKEY: nkeyFile, ...files });
    const asked = await crm.request('stratum.enqueue.2.rules.normal.evaluate_rules.x', '{"tenant_id":2}', {
      timeout: 10_000,
    });
    const { id } = asked.json<{ id: string }>();
    const ended = await crm.request(`stratum.await.2.${id}`, '', { timeout: 40_000 });
    expect(ended.json()).toMatchObject({ state: 'SUCCESS', tenant: '2' });
    const status = await runStratum(['queues', '--json'], { NATS_URL: server.urlOf('platform'), ...files });
    expect(status.code, status.stderr).toBe(0);

    // Without a certificate, without the authority, and without encryption.
    const url = server.urlOf('shop');
    await expect(connected({ NATS_URL: url, NATS_CA: ca })).rejects.toThrow('No connection to NATS');
    await expect(connected({ NATS_URL: url, NATS_CERT: client.cert, NATS_KEY: client.key })).rejects.toThrow(
      'No connection to NATS',
    );
    await expect(connected({ NATS_URL: url, ...files, NATS_CA: join(folder, 'none.pem') })).rejects.toThrow(
      `The NATS TLS file ${join(folder, 'none.pem')} cannot be read.`,
    );
    await expect(connected({ NATS_URL: `tls://${new URL(inject('natsUrl')).host}` })).rejects.toThrow(
      'No connection to NATS',
    );
  },
);

/** A JSON Web Token as NATS has them (ADR-14). */
function token(
  issuer: ReturnType<typeof nkeys.createUser>,
  subject: string,
  name: string,
  nats: object,
): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    jti: name,
    iat: Math.floor(Date.now() / 1000),
    iss: issuer.getPublicKey(),
    name,
    sub: subject,
    nats: { ...nats, version: 2 },
  };
  const text = `${part({ typ: 'JWT', alg: 'ed25519-nkey' })}.${part(claims)}`;
  return `${text}.${Buffer.from(issuer.sign(Buffer.from(text))).toString('base64url')}`;
}

test('a credentials file logs in to a server with an operator', async () => {
  const folder = await dataFolder('stratum-creds-');
  const [operator, account, user] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createUser()];
  const none = { subs: -1, data: -1, payload: -1 };
  const limits = { ...none, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
  const issued = {
    operator: token(operator, operator.getPublicKey(), 'operator', { type: 'operator' }),
    account: token(operator, account.getPublicKey(), 'account', { type: 'account', limits }),
    user: token(account, user.getPublicKey(), 'user', { type: 'user', ...none, pub: {}, sub: {} }),
  };
  const credentials = join(folder, 'user.creds');
  const seed = Buffer.from(user.getSeed()).toString('utf8');
  await writeFile(
    credentials,
    `-----BEGIN NATS USER JWT-----\n${issued.user}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`,
  );
  const port = await freePort();
  await writeFile(
    join(folder, 'nats.conf'),
    `listen: "127.0.0.1:${port}"\noperator: "${issued.operator}"\nresolver: MEMORY\nresolver_preload: { ${account.getPublicKey()}: "${issued.account}" }\n`,
  );
  const child = spawn(inject('natsBinary'), ['-c', join(folder, 'nats.conf')], { stdio: 'ignore' });
  const closed = once(child, 'close');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await closed;
  });
  const settings = { NATS_URL: `nats://127.0.0.1:${port}` };
  const connection = await waitFor('the server', () =>
    connected({ ...settings, NATS_CREDS: credentials }).catch(() => undefined),
  );
  connection.subscribe('question', { callback: (_error, message) => void message.respond('answer') });
  expect((await connection.request('question')).string()).toBe('answer');
  await expect(connected(settings)).rejects.toThrow('No connection to NATS');
});
