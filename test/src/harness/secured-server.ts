/** A NATS server with the configuration that is shipped, and the platform's own services on it. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseKeyRing } from '@stratum/shared';
import { markForDemonstration, seed } from '@stratum/cli/demonstration';
import { startSandbox } from '@stratum/sandbox';
import { connect, nkeyAuthenticator, nkeys, type NatsConnection } from '@nats-io/transport-node';
import { inject, onTestFinished } from 'vitest';
import { z } from 'zod';
import {
  dataFolder,
  spawnProgram,
  testDatabase,
  testKeyText,
  waitFor,
  type SpawnedProgram,
  type TestDatabase,
} from './index.js';

/** What a service tries once that may not, before it waits for another one to do so. */
const CREATION = /JS\.API\.(STREAM|CONSUMER)\.CREATE\./;
const CONFIGURATIONS = fileURLToPath(new URL('../../../deploy/nats', import.meta.url));
const SERVICES_RUN = ['scheduler', 'api', 'sync-worker', 'rules-worker'] as const;
const USERS = [
  'admin',
  'platform',
  ...SERVICES_RUN,
  'dashboard',
  'default-worker',
  'intel-worker',
  'ml-worker',
  'cdp-worker',
  'observer',
  'shop',
] as const;
export type User = (typeof USERS)[number];
export type ServiceUser = Exclude<User, 'admin' | 'platform' | 'observer' | 'shop'>;

const portsSchema = z.object({ nats: z.array(z.string()).min(1) });

export interface SecuredServer {
  /** `127.0.0.1:<port>`. */
  address: string;
  passwords: Record<User, string>;
  /** For services and the `stratum` command. */
  urlOf(user: User): string;
  /** A plain client of a user, with the inbox that it may use. */
  connectAs(user: User): Promise<NatsConnection>;
  /** A plain client of the producer that has a key. */
  connectAsCrm(): Promise<NatsConnection>;
  /** Of that producer. */
  crmSeed: Uint8Array;
  /** What the server has refused. */
  refusals(): string[];
}

/**
 * @param file in `deploy/nats`; ports and the folder of the data are the test's own
 * @param changeListen changes `listen.conf`
 */
export async function securedServer(
  file = 'nats-server.conf',
  changeListen: (text: string) => string = (text) => text,
): Promise<SecuredServer> {
  const folder = await dataFolder('stratum-secured-');
  const ports = join(folder, 'ports');
  await mkdir(ports);
  const crm = nkeys.createUser();
  const secret = (): string => `s${randomBytes(12).toString('hex')}`;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- keys of an object lose their names
  const passwords = Object.fromEntries(USERS.map((user) => [user, secret()])) as Record<User, string>;
  const settings = join(folder, 'nats');
  await cp(CONFIGURATIONS, settings, { recursive: true });
  const text = await readFile(join(settings, file), 'utf8');
  await writeFile(join(settings, file), text.replace('/var/lib/nats', join(folder, 'data')));
  const listen = join(settings, 'listen.conf');
  await writeFile(listen, changeListen(await readFile(listen, 'utf8')));
  const own = ['-a', '127.0.0.1', '-p', '-1', '-m', '-1', '--ports_file_dir', ports];
  const child = spawn(inject('natsBinary'), ['-c', join(settings, file), ...own], {
    env: {
      ...Object.fromEntries(
        USERS.map((user) => [`NATS_${user.toUpperCase().replaceAll('-', '_')}_PASSWORD`, passwords[user]]),
      ),
      NATS_CRM_NKEY: crm.getPublicKey(),
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString('utf8')));
  const closed = once(child, 'close');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await closed;
    await rm(folder, { recursive: true, force: true });
  });
  const address = await waitFor('the server to listen', async () => {
    if (child.exitCode !== null) throw new Error(`nats-server ended: ${log}`);
    const [name] = await readdir(ports);
    if (name === undefined) return undefined;
    const written = await readFile(join(ports, name), 'utf8');
    return written === ''
      ? undefined
      : portsSchema.parse(JSON.parse(written)).nats[0]?.replace(/^\w+:\/\//, '');
  });
  const open = async (options: Parameters<typeof connect>[0]): Promise<NatsConnection> => {
    const connection = await connect({ servers: address, ...options });
    onTestFinished(() => connection.close());
    return connection;
  };
  return {
    address,
    passwords,
    urlOf: (user) => `nats://${user}:${passwords[user]}@${address}`,
    connectAs: (user) => open({ user, pass: passwords[user], inboxPrefix: `_INBOX.${user}` }),
    connectAsCrm: () => open({ authenticator: nkeyAuthenticator(crm.getSeed()) }),
    crmSeed: crm.getSeed(),
    refusals: () => log.split('\n').filter((line) => line.includes('Violation') && !CREATION.test(line)),
  };
}

/** The scheduler, the API and two workers, or others, as processes of their own, each as its own user. */
export async function startServices(
  server: Pick<SecuredServer, 'urlOf'>,
  services: readonly ServiceUser[] = SERVICES_RUN,
  settings: NodeJS.ProcessEnv = {},
): Promise<{ database: TestDatabase; keyText: string }> {
  const database = await testDatabase();
  const keyText = testKeyText();
  await markForDemonstration(database.owner);
  await seed(database.owner, parseKeyRing(keyText));
  // One account is enough for a sync.
  await database.owner.query(`DELETE FROM platform_account WHERE tenant_id <> 1 OR platform <> 'meta'`);
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.stop());
  const environment = {
    DATABASE_URL: database.url,
    STRATUM_CREDENTIALS_KEY: keyText,
    LOG_LEVEL: 'warn',
    API_PORT: '0',
    ...sandbox.endpoints,
    ...settings,
  };
  const start = (name: ServiceUser): SpawnedProgram =>
    spawnProgram(`services/${name}/dist/main.js`, { NATS_URL: server.urlOf(name), ...environment });
  const mayCreate = (name: ServiceUser): boolean => name === 'scheduler' || name === 'api';
  // The order that is hardest: those that may not create streams wait for those that may.
  const waiting = services.filter((name) => !mayCreate(name)).map(start);
  await waitFor('the others to wait for streams', () =>
    waiting.every((program) => program.output().includes('waiting for another program')),
  );
  const creating = services.filter(mayCreate).map(start);
  await Promise.all([...creating, ...waiting].map((program) => program.ready()));
  return { database, keyText };
}
