/** The services compute days in UTC, whatever the time zone of the database server. */
import { openDatabase, SERVICE_ROLES } from '@stratum/shared';
import { migrate } from '@stratum/cli/database';
import { expect, onTestFinished, test } from 'vitest';
import { emptyDatabase } from '../../harness/index.js';

/** Fourteen hours ahead of UTC: for more than half of each day it is another date there. */
const FAR_ZONE = 'Pacific/Kiritimati';

test('a server in another time zone changes no day', async () => {
  const url = await emptyDatabase();
  const owner = openDatabase({ url, name: 'test-owner' });
  onTestFinished(() => owner.end());
  await owner.query(`ALTER DATABASE ${new URL(url).pathname.slice(1)} SET timezone = '${FAR_ZONE}'`);
  await migrate({ databaseUrl: url });
  for (const role of [undefined, ...SERVICE_ROLES]) {
    const pool = openDatabase({ url, name: 'test-service', ...(role === undefined ? {} : { role }) });
    onTestFinished(() => pool.end());
    const { rows } = await pool.query(
      `SELECT current_user::text AS role, timestamptz '2026-11-20 20:00:00Z'::date::text AS day, '2026-11-20'::date::timestamptz = '2026-11-20T00:00:00Z' AS starts`,
    );
    expect(rows).toEqual([{ role: role ?? 'postgres', day: '2026-11-20', starts: true }]);
  }
});
