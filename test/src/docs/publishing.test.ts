/** The examples of docs/write-tasks/publishing.md, run as they stand, with the rights that they say are enough. */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { jetstream } from '@nats-io/jetstream';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { isInstalled, runProgram } from '../cli/stratum.js';
import { certificates, withTls } from '../harness/certificates.js';
import { dataFolder, spawnProgram, waitFor } from '../harness/index.js';
import { skipNotRun } from '../harness/not-run.js';
import { securedServer, startServices, type SecuredServer, type User } from '../harness/secured-server.js';

const EXAMPLES = fileURLToPath(new URL('../../../docs/examples', import.meta.url));
const lineSchema = z.looseObject({ what: z.string() });

function told(output: string): Record<string, unknown>[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => lineSchema.parse(JSON.parse(line)));
}

function settings(server: SecuredServer, user: User): NodeJS.ProcessEnv {
  return { NATS_URL: server.address, NATS_USER: user, NATS_PASSWORD: server.passwords[user] };
}

test('a producer and an observer in JavaScript', async () => {
  const server = await securedServer();
  await startServices(server);
  const producer = spawnProgram('docs/examples/publish.mjs', settings(server, 'shop'));
  expect(await producer.exited(), producer.output()).toBe(0);
  expect(told(producer.output())).toEqual([
    expect.objectContaining({ what: 'enqueued', same: true, duplicate: [false, true] }),
    expect.objectContaining({
      what: 'ended',
      state: 'SUCCESS',
      result: expect.objectContaining({ accounts: 1 }),
    }),
    expect.objectContaining({ what: 'delayed', state: 'SCHEDULED' }),
    expect.objectContaining({ what: 'refused', error: expect.stringContaining('platform') }),
  ]);

  const id = randomUUID();
  const observer = spawnProgram('docs/examples/watch.mjs', settings(server, 'observer'), [id]);
  await waitFor('the observer to listen', () => observer.output().includes('"ready"'));
  await jetstream(await server.connectAs('platform')).publish(
    `stratum.tasks.sync.normal.1.sync_campaign_data.${id}`,
    '{"tenant_id":1,"platform":"meta"}',
  );
  expect(await observer.exited(), observer.output()).toBe(0);
  expect(told(observer.output())).toContainEqual(
    expect.objectContaining({ what: 'ended', id, state: 'SUCCESS' }),
  );
});

test.runIf(await isInstalled('python3'))('a producer in Python is Python', async () => {
  const parse = `import ast, sys; ast.parse(open(sys.argv[1]).read())`;
  expect(await runProgram('python3', ['-c', parse, `${EXAMPLES}/publish.py`])).toMatchObject({
    code: 0,
    stderr: '',
  });
});

/** A folder of Go sources that Debian's packages install. */
const GO_SOURCES = '/usr/share/gocode';

/** What starts the example of a language, and what the machine needs for it. */
const LANGUAGES: Readonly<Record<string, { needs: string; prepare: () => Promise<string[] | undefined> }>> = {
  JavaScript: {
    needs: 'openssl',
    prepare: async () => [process.execPath, `${EXAMPLES}/publish.mjs`],
  },
  Python: {
    needs: 'openssl and python3 with nats-py (pip install nats-py)',
    prepare: async () =>
      (await runProgram('python3', ['-c', 'import nats']).catch(() => undefined))?.code === 0
        ? ['python3', `${EXAMPLES}/publish.py`]
        : undefined,
  },
  Go: {
    needs: 'openssl and Go with nats.go (apt-get install golang-go golang-github-nats-io-go-nats-dev)',
    prepare: async () => {
      if (!(await isInstalled('go'))) return undefined;
      const program = join(await ownFolder(), 'producer');
      const build = ['build', '-o', program, `${EXAMPLES}/go/main.go`];
      const { code } = await runProgram('go', build, { GO111MODULE: 'off', GOPATH: GO_SOURCES });
      return code === 0 ? [program] : undefined;
    },
  },
};

async function ownFolder(): Promise<string> {
  const folder = await dataFolder('stratum-producer-');
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test.for(Object.entries(LANGUAGES))(
  'a producer in %s over TLS, with the accounts that are shipped',
  { timeout: 180_000 },
  async ([name, { needs, prepare }], context) => {
    const [program, ...args] = ((await isInstalled('openssl')) ? await prepare() : undefined) ?? [];
    if (program === undefined) skipNotRun(context, `The example in ${name} was not run: it needs ${needs}.`);
    const { ca, server: own } = await certificates();
    const server = await securedServer('nats-server.conf', (listen) => withTls(listen, own));
    await startServices(server, ['scheduler', 'api', 'sync-worker'], { NATS_CA: ca });
    const login = {
      NATS_URL: `tls://${server.address}`,
      NATS_USER: 'shop',
      NATS_PASSWORD: server.passwords.shop,
    };
    // Some clients try to connect for minutes.
    const briefly = (env: NodeJS.ProcessEnv): ReturnType<typeof runProgram> =>
      runProgram('timeout', ['10', program, ...args], env);
    // Without the authority that it trusts it sends nobody its password.
    expect((await briefly(login)).stdout).toBe('');
    const trusted = { ...login, NODE_EXTRA_CA_CERTS: ca, SSL_CERT_FILE: ca };
    const { code, stdout, stderr } = await runProgram(program, args, trusted);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/enqueued[^]*(?:"again": ?true|again: true|"duplicate":\[false,true\])/);
    expect(stdout).toMatch(/ended[^]*SUCCESS[^]*delayed[^]*SCHEDULED/);
    // Another user's password is no way into this account.
    const stranger = { ...trusted, NATS_PASSWORD: server.passwords.observer };
    expect((await briefly(stranger)).stdout).toBe('');
  },
);
