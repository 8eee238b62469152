/** Logins by certificate, key and credentials file, over TLS, as every service and command makes them. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectToNats, loginFrom } from '@stratum/jobs';
import { SERVICES } from '@stratum/shared';
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

/** A server with a configuration of the test's own. Returns its address. */
async function startServer(folder: string, configuration: string): Promise<string> {
  const port = await freePort();
  const file = join(folder, 'nats.conf');
  await writeFile(
    file,
    `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${join(folder, 'data')}" }\n${configuration}\n`,
  );
  const child = spawn(inject('natsBinary'), ['-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString('utf8')));
  const closed = once(child, 'close');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await closed;
    await rm(folder, { recursive: true, force: true });
  });
  await waitFor('the server', () => {
    if (child.exitCode !== null) throw new Error(`nats-server ended: ${log}`);
    return log.includes('Server is ready');
  });
  return `127.0.0.1:${port}`;
}

interface Login {
  /** Of a program that may do everything. */
  settings: NodeJS.ProcessEnv;
  /** Of one that may not log in. */
  without: NodeJS.ProcessEnv;
}

/** Each on a server that takes no other login. */
const LOGINS: Readonly<Record<string, () => Promise<Login>>> = {
  certificate: async () => {
    const { folder, ca, server, client } = await certificates();
    const address = await startServer(
      folder,
      `tls { cert_file: "${server.cert}", key_file: "${server.key}", ca_file: "${ca}", verify_and_map: true }
       authorization { users: [{ user: "CN=client" }] }`,
    );
    const without = { NATS_URL: `tls://${address}`, NATS_CA: ca };
    return { settings: { ...without, NATS_CERT: client.cert, NATS_KEY: client.key }, without };
  },
  nkey: async () => {
    const folder = await dataFolder('stratum-nkey-');
    const user = nkeys.createUser();
    const file = join(folder, 'user.nk');
    await writeFile(file, user.getSeed());
    const address = await startServer(folder, `authorization { users: [{ nkey: ${user.getPublicKey()} }] }`);
    const without = { NATS_URL: `nats://${address}` };
    return { settings: { ...without, NATS_NKEY: file }, without };
  },
  'credentials file': async () => {
    const folder = await dataFolder('stratum-creds-');
    const [operator, system, account, user] = [
      nkeys.createOperator(),
      nkeys.createAccount(),
      nkeys.createAccount(),
      nkeys.createUser(),
    ];
    const none = { subs: -1, data: -1, payload: -1 };
    const streams = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
    const limits = { ...none, ...streams, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
    const accountToken = (of: typeof account, own: object): string =>
      token(operator, of.getPublicKey(), 'account', { type: 'account', limits: own });
    const { mem_storage: _memory, disk_storage: _disk, ...bare } = limits;
    const issued = token(account, user.getPublicKey(), 'user', { type: 'user', ...none, pub: {}, sub: {} });
    const file = join(folder, 'user.creds');
    const seed = Buffer.from(user.getSeed()).toString('utf8');
    await writeFile(
      file,
      `-----BEGIN NATS USER JWT-----\n${issued}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`,
    );
    const address = await startServer(
      folder,
      `operator: "${token(operator, operator.getPublicKey(), 'operator', { type: 'operator' })}"
       system_account: ${system.getPublicKey()}
       resolver: MEMORY
       resolver_preload: {
         ${system.getPublicKey()}: "${accountToken(system, bare)}"
         ${account.getPublicKey()}: "${accountToken(account, limits)}"
       }`,
    );
    const without = { NATS_URL: `nats://${address}` };
    return { settings: { ...without, NATS_CREDS: file }, without };
  },
};

/** `STRATUM_ALL_SERVICES=1` tries each of them; they share the way to their connection, so one shows it. */
const STARTED = process.env['STRATUM_ALL_SERVICES'] === undefined ? (['scheduler'] as const) : SERVICES;

test.each(Object.keys(LOGINS).filter((kind) => kind !== 'certificate' || hasOpenSsl))(
  'services and commands log in by %s',
  async (kind) => {
    const { settings, without } = (await LOGINS[kind]?.()) ?? { settings: {}, without: {} };
    await startServices({ urlOf: () => settings['NATS_URL'] ?? '' }, STARTED, {
      ...settings,
      DASHBOARD_PORT: '0',
    });
    const queues = await runStratum(['queues', '--json'], settings);
    expect(queues.code, queues.stderr).toBe(0);
    const refused = await runStratum(['queues', '--json'], without);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('No connection to NATS')]);
  },
);

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

test('every program of the platform opens its connection with all settings of a login', () => {
  const texts = execFileSync(
    'git',
    ['ls-files', 'services/*/src/*.ts', 'packages/cli/src', 'packages/shared/src'],
    {
      cwd: ROOT,
      encoding: 'utf8',
    },
  )
    .trim()
    .split('\n')
    .filter((name) => existsSync(join(ROOT, name)))
    .map((name) => [name, readFileSync(join(ROOT, name), 'utf8')] as const);
  const calls = (text: string, call: string): number => text.split(call).length - 1;
  const opening = texts.filter(([, text]) => calls(text, 'connectToNats(') > 0);
  expect(opening.map(([name]) => name)).toContain('packages/shared/src/service/run-service.ts');
  const bare = opening.filter(([, text]) => calls(text, 'connectToNats(') !== calls(text, '...loginFrom('));
  expect(bare.map(([name]) => name)).toEqual([]);
  const past = texts.filter(([, text]) => /\bconnect\b[^;]*from '@nats-io/.test(text));
  expect(past.map(([name]) => name)).toEqual([]);
});
