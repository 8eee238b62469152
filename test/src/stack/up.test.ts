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

describe('the local stack', () => {
  test('syncs four platforms, listens at the printed addresses, and leaves nothing behind when it stops', async () => {
    const stack = await LocalStack.create();
    const program = stack.up();
    const addresses = await stack.started(program);
    expect(addresses.pid).toBe(program.pid);
    const rows = await rowsByPlatform(addresses.database);
    expect(Object.keys(rows)).toEqual(['google', 'meta', 'snapchat', 'tiktok']);
    for (const count of Object.values(rows)) expect(count).toBeGreaterThan(100);
    expect((await fetch(`${addresses.nats_monitor}/healthz`)).status).toBe(200);
    expect((await fetch(addresses.sandbox)).headers.get('content-type')).toContain('text/html');
    expect((await stack.processes()).length).toBeGreaterThanOrEqual(5);

    expect(await program.kill('SIGINT')).toBe(0);
    expect(await stack.processes()).toEqual([]);
    expect(existsSync(join(stack.home, 'run.json'))).toBe(false);
    expect(program.output()).not.toContain(new URL(addresses.database).password);
  });

  test('keeps its data over a restart, and does not seed twice', async () => {
    const stack = await LocalStack.create();
    const first = stack.up(['--once']);
    expect(await first.exited()).toBe(0);
    expect(first.output()).toContain('added the demonstration tenants');
    const second = stack.up();
    const addresses = await stack.started(second);
    expect(second.output()).not.toContain('added the demonstration tenants');
    expect(Object.keys(await rowsByPlatform(addresses.database))).toHaveLength(4);
    await second.kill('SIGTERM');
  });

  test('recovers from having been killed, on the same ports', async () => {
    const stack = await LocalStack.create();
    const killed = stack.up();
    const { nats, nats_monitor, database, sandbox } = await stack.started(killed);
    await killed.kill('SIGKILL');
    const ports = [
      ['--nats-port', nats],
      ['--nats-monitor-port', nats_monitor],
      ['--database-port', database],
      ['--sandbox-port', sandbox],
    ].flatMap(([flag = '', url = '']) => [flag, new URL(url).port]);
    const next = stack.run(['up', '--once', ...ports]);
    expect(await next.exited(), next.output()).toBe(0);
    expect(await stack.processes()).toEqual([]);
  });

  test('says that it is running when it is started a second time', async () => {
    const stack = await LocalStack.create();
    const first = stack.up();
    await stack.started(first);
    const second = stack.up();
    expect(await second.exited()).toBe(1);
    expect(second.output()).toContain(`already running (process ${first.pid}`);
    expect(await first.kill('SIGINT')).toBe(0);
  });

  test('stops on request while it is starting', async () => {
    const stack = await LocalStack.create();
    const program = stack.up();
    await waitFor('the first step', () => program.output().includes('starting PostgreSQL'));
    await program.kill('SIGINT');
    expect(program.output()).not.toContain('Campaigns of the demonstration tenant');
    expect(await stack.processes()).toEqual([]);
  });

  test('ends with the reason when a service dies', async () => {
    const stack = await LocalStack.create();
    const program = stack.up();
    await stack.started(program);
    for (const pid of await stack.processes()) {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (line.includes('sync-worker')) process.kill(pid, 'SIGKILL');
    }
    expect(await program.exited()).toBe(1);
    expect(program.output()).toContain('sync-worker ended (SIGKILL)');
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

  test('uses servers that are named instead of its own', async () => {
    const outer = await LocalStack.create();
    const servers = outer.up();
    const { nats, database } = await outer.started(servers);
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
    await servers.kill('SIGINT');
  }, 120_000);
});
