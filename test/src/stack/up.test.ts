/** `stratum up`, which `npm start` calls: what a newcomer sees, and what it leaves behind. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Client } from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { LocalStack } from './local-stack.js';

async function rowsByPlatform(database: string): Promise<Record<string, number>> {
  const client = new Client({ connectionString: database });
  await client.connect();
  try {
    const { rows } = await client.query<{ platform: string; rows: string }>(
      `SELECT platform, count(*) AS rows FROM campaign_metric_daily JOIN campaign ON campaign.id = campaign_id JOIN platform_account ON platform_account.id = account_id
       GROUP BY platform ORDER BY platform`,
    );
    return Object.fromEntries(rows.map(({ platform, rows: count }) => [platform, Number(count)]));
  } finally {
    await client.end();
  }
}

describe('a local stack that is up', () => {
  const running = LocalStack.running();

  test('has synced four platforms, and listens at the printed addresses', async () => {
    const { stack, up, addresses } = running();
    expect(addresses.pid).toBe(up.pid);
    const rows = await rowsByPlatform(addresses.database);
    expect(Object.keys(rows)).toEqual(['google', 'meta', 'snapchat', 'tiktok']);
    for (const count of Object.values(rows)) expect(count).toBeGreaterThan(100);
    expect((await fetch(`${addresses.nats_monitor}/healthz`)).status).toBe(200);
    expect((await fetch(addresses.sandbox)).headers.get('content-type')).toContain('text/html');
    expect((await stack.processes()).length).toBeGreaterThanOrEqual(5);
    expect(up.output()).not.toContain(new URL(addresses.database).password);
  });

  test('says so when it is started a second time', async () => {
    const { stack, up } = running();
    const second = stack.up();
    expect(await second.exited()).toBe(1);
    expect(second.output()).toContain(`already running (process ${up.pid}`);
  });

  test('can serve another one, which uses servers that are named instead of its own', async () => {
    const { nats, database } = running().addresses;
    const stack = await LocalStack.create();
    const program = stack.up(['--once'], { NATS_URL: nats, STRATUM_PREFIX: 'second' });
    expect(await program.exited(), program.output()).toBe(0);
    expect(program.output()).not.toContain('starting NATS');
    expect(program.output()).toContain('starting PostgreSQL');
    const missing = stack.up(['--once'], { DATABASE_URL: database.replace(/:\d+\//, ':1/') });
    expect(await missing.exited()).toBe(1);
    expect(missing.output()).toMatch(
      /No connection to PostgreSQL at 127\.0\.0\.1:1\/stratum: connect ECONNREFUSED.*DATABASE_URL/,
    );
    const nonsense = stack.up(['--once'], { NATS_URL: nats, DATABASE_URL: 'nonsense' });
    expect(await nonsense.exited()).toBe(1);
    expect(nonsense.output()).toMatch(/DATABASE_URL.*postgres:\/\/user:password/);
    expect(await stack.processes()).toEqual([]);
  });

  test('leaves nothing behind when it stops', async () => {
    const { stack, up } = running();
    expect(await up.kill('SIGINT')).toBe(0);
    expect(await stack.processes()).toEqual([]);
    expect(existsSync(join(stack.home, 'run.json'))).toBe(false);
  });
});

describe('a local stack', () => {
  test('recovers from having been killed, with its data and on the same ports, and ends when a service dies', async () => {
    const stack = await LocalStack.create();
    const killed = stack.up();
    const { nats, nats_monitor, database, sandbox } = await stack.started(killed);
    expect(killed.output()).toContain('added the demonstration tenants');
    await killed.kill('SIGKILL');
    const ports = [
      ['--nats-port', nats],
      ['--nats-monitor-port', nats_monitor],
      ['--database-port', database],
      ['--sandbox-port', sandbox],
    ].flatMap(([flag = '', url = '']) => [flag, new URL(url).port]);
    const next = stack.run(['up', ...ports]);
    expect(await stack.started(next)).toMatchObject({ nats, nats_monitor, database, sandbox });
    expect(next.output()).not.toContain('added the demonstration tenants');
    expect(Object.keys(await rowsByPlatform(database))).toHaveLength(4);

    for (const pid of await stack.processes()) {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (line.includes('sync-worker')) process.kill(pid, 'SIGKILL');
    }
    expect(await next.exited()).toBe(1);
    expect(next.output()).toContain('sync-worker ended (SIGKILL)');
    expect(await stack.processes()).toEqual([]);
  });

  test('stops on request while it is starting', async () => {
    const stack = await LocalStack.create();
    const program = stack.up();
    await waitFor('the first step', () => program.output().includes('starting PostgreSQL'));
    await program.kill('SIGINT');
    expect(program.output()).not.toContain('Campaigns of the demonstration tenant');
    expect(await stack.processes()).toEqual([]);
  });

  test('names every port that is taken, and the flag that chooses another', async () => {
    const stack = await LocalStack.create();
    const taken = createServer();
    taken.listen(0, '127.0.0.1');
    await once(taken, 'listening');
    onTestFinished(() => void taken.close());
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? String(address.port) : '';
    const program = stack.up(['--sandbox-port', port, '--database-port', port]);
    expect(await program.exited()).toBe(1);
    expect(program.output()).toContain(`Port ${port} is in use, and the sandbox needs it.`);
    expect(program.output()).toContain(`Port ${port} is in use, and PostgreSQL needs it.`);
    expect(program.output()).toContain('npm start -- --sandbox-port 0 --database-port 0');
    expect(await stack.processes()).toEqual([]);
  });
});
