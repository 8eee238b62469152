/** The demonstration data, once the first sync has brought the campaigns. */
import { SANDBOX_CREDENTIALS, WORDPRESS_USER } from '@stratum/sandbox';
import { loadConfiguration, openDatabase } from '@stratum/shared';
import { readMadeKeys, seedDemonstration, type MadeKeys } from '../demonstration/index.js';
import type { Stack } from './stack.js';

/** Returns whether it was made by this call, and the keys that seeding has made. */
export async function addDemonstration({
  addresses,
  environment,
}: Pick<Stack, 'addresses' | 'environment'>): Promise<{ isNew: boolean; keys: MadeKeys }> {
  const configuration = loadConfiguration(['DATABASE_URL', 'STRATUM_CREDENTIALS_KEY'], environment);
  const pool = openDatabase({ url: configuration.DATABASE_URL, name: 'stratum-up' });
  try {
    const keys = configuration.STRATUM_CREDENTIALS_KEY;
    const isNew = await seedDemonstration(pool, keys, {
      sandboxUrl: addresses.sandbox ?? '',
      whatsappToken: SANDBOX_CREDENTIALS.metaAccessToken,
      wordpress: WORDPRESS_USER,
      now: new Date(),
    });
    return { isNew, keys: await readMadeKeys(pool, keys) };
  } finally {
    await pool.end();
  }
}
