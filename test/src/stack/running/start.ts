/** What `stratum up` has started, and what it says to whoever starts it again. */
import { readFile } from 'node:fs/promises';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { runStratum } from '../../cli/stratum.js';
import { ANY_PORTS, LocalStack, type RunningStack } from '../local-stack.js';

export async function rowsByPlatform(database: string): Promise<Record<string, number>> {
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

export function testStart(running: () => RunningStack): void {
  test('it has synced four platforms, and listens at the printed addresses', async () => {
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

  test('it says so when it is started a second time', async () => {
    const { stack, up } = running();
    const second = stack.up();
    expect(await second.exited()).toBe(1);
    expect(second.output()).toContain(`already running (process ${up.pid}`);
  });

  test('another one uses servers that are named instead of its own, and reports to programs what it did', async () => {
    const { nats, database } = running().addresses;
    const stack = await LocalStack.create();
    const upOnce = ['up', ...ANY_PORTS, '--once'];
    const other = { ...stack.environment, NATS_URL: nats, STRATUM_PREFIX: 'second' };
    const { code, stdout, stderr } = await runStratum([...upOnce, '--json'], other);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      synced: [{ state: 'SUCCESS' }, { state: 'SUCCESS' }, { state: 'SUCCESS' }, { state: 'SUCCESS' }],
      addresses: { nats },
    });
    expect(stderr).not.toContain('starting NATS');
    expect(stderr).toContain('starting PostgreSQL');
    expect(stderr).toContain('Stopped.');
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
}

/** The last of all: nothing runs any more. */
export function testEnd(running: () => RunningStack): void {
  test('it ends with the first of its services that dies, and leaves nothing behind', async () => {
    const { stack, up } = running();
    for (const pid of await stack.processes()) {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (line.includes('sync-worker')) process.kill(pid, 'SIGKILL');
    }
    expect(await up.exited()).toBe(1);
    expect(up.output()).toContain('sync-worker ended (SIGKILL)');
    expect(await stack.processes()).toEqual([]);
  });
}
