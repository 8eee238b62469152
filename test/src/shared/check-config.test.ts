/** Each service as a process: what it says of its configuration before it opens anything. Nothing listens at the addresses here. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { SERVICES } from '@stratum/shared';
import { describe, expect, test } from 'vitest';
import { spawnProgram } from '../harness/index.js';

/** Each text that must not be printed. */
const SECRETS = {
  NATS_URL: 'tls://app:pa@ss,word-1@nats-a.example.com:4222,nats://token-2@nats-b.example.com',
  DATABASE_URL: 'postgres://stratum:secret-3@db.example.com/stratum?sslpassword=secret-4&sslmode=require',
  STRATUM_CREDENTIALS_KEY: `k2:${Buffer.alloc(32, 5).toString('base64')},k1:${Buffer.alloc(32, 6).toString('base64')}`,
  STRATUM_AUDIT_KEY: `a1:${Buffer.alloc(32, 7).toString('base64')}`,
  META_AD_LIBRARY_TOKEN: 'token-8',
};
const HIDDEN = /pa@ss|word-1|token-\d|secret-\d|BQUF|BgYG|BwcH/;

const main = (service: string): string => `services/${service}/dist/main.js`;

test('every service of the repository is in the table below', () => {
  const folders = readdirSync(join(import.meta.dirname, '../../../services'));
  expect([...SERVICES, 'sandbox'].toSorted()).toEqual(folders.toSorted());
});

test.each(SERVICES)('%s --check-config prints the settings in effect, without secrets', async (service) => {
  const env = { ...SECRETS, WORKER_SHUTDOWN_GRACE: '45', METRICS_PORT: '9100-9199', LOG_LEVEL: '' };
  const program = spawnProgram(main(service), env, ['--check-config']);
  expect(await program.exited(), program.output()).toBe(0);
  const lines = program.output().trimEnd().split('\n');
  expect(lines).toContain('NATS_URL=tls://app:***@nats-a.example.com:4222,nats://***@nats-b.example.com');
  expect(lines).toContain(
    'DATABASE_URL=postgres://stratum:***@db.example.com/stratum?sslpassword=***&sslmode=require',
  );
  expect(lines).toContain('LOG_LEVEL=info # by default');
  expect(lines).toContain('METRICS_PORT=9100-9199');
  expect(lines).toContain('# NATS_CREDS is not set');
  if (service.endsWith('-worker')) expect(lines).toContain('WORKER_SHUTDOWN_GRACE=45');
  if (service === 'api') expect(lines).toContain('STRATUM_CREDENTIALS_KEY=k2:***,k1:***');
  expect(program.output()).not.toMatch(HIDDEN);
});

test('the sandbox does so too', async () => {
  const program = spawnProgram(main('sandbox'), { SANDBOX_PORT: '0' }, ['--check-config']);
  expect(await program.exited(), program.output()).toBe(0);
  expect(program.output()).toContain('SANDBOX_PORT=0\n');
});

describe('a configuration that is not valid is one line and exit code 78', () => {
  const wrong: readonly [string, NodeJS.ProcessEnv, RegExp][] = [
    ['scheduler', { ...SECRETS, LOG_LEVEL: 'loud' }, /LOG_LEVEL must be one of trace, debug/],
    ['sync-worker', { ...SECRETS, LOG_LEVEL: 'loud', STRATUM_AUDIT_KEY: '' }, /LOG_LEVEL must be one of/],
    ['default-worker', { ...SECRETS, DATABASE_URL: 'secret-3' }, /DATABASE_URL must be a URL such as/],
    ['api', { ...SECRETS, API_HOST: '0.0.0.0' }, /API_PUBLIC_URL is not set/],
    ['dashboard', { ...SECRETS, DASHBOARD_HOST: '0.0.0.0' }, /DASHBOARD_PUBLIC_URL to the https address/],
    ['cdp-worker', { ...SECRETS, NATS_CA: '/nowhere/ca.pem' }, /NATS_CA names a file that cannot be read/],
    ['sandbox', { SANDBOX_PORT: 'many' }, /SANDBOX_PORT/],
  ];
  test.each(wrong)('%s %#', async (service, env, message) => {
    const program = spawnProgram(main(service), env);
    expect(await program.exited(), program.output()).toBe(78);
    const output = program.output();
    expect(output.trimEnd().split('\n')).toHaveLength(1);
    expect(JSON.parse(output)).toMatchObject({
      level: 60,
      name: service,
      msg: expect.stringMatching(message),
    });
    expect(output).not.toMatch(/ at .+:\d+:\d+/);
    expect(output).not.toMatch(HIDDEN);
  });

  test.each([
    ['127.0.0.1', 0],
    ['127.8.9.10', 0],
    ['::1', 0],
    ['0:0:0:0:0:0:0:1', 0],
    ['localhost', 0],
    ['127.0.0.999', 78],
    ['127.0.0.1.example.com', 78],
    ['::', 78],
    ['192.168.0.1', 78],
  ])('the API and the dashboard alike take %s for this machine or not', async (host, code) => {
    const env = { ...SECRETS, API_HOST: host, DASHBOARD_HOST: host };
    const programs = ['api', 'dashboard'].map((service) =>
      spawnProgram(main(service), env, ['--check-config']),
    );
    expect(await Promise.all(programs.map((program) => program.exited()))).toEqual([code, code]);
  });

  test('an option that no service has is refused', async () => {
    const program = spawnProgram(main('scheduler'), SECRETS, ['--chek-config']);
    expect(await program.exited()).toBe(78);
    expect(program.output()).toContain('--chek-config is not an option');
  });
});
