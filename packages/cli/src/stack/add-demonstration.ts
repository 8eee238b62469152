/** The demonstration data, once the first sync has brought the campaigns. */
import { SANDBOX_CREDENTIALS, WORDPRESS_USER } from '@stratum/sandbox';
import { loadConfiguration, openDatabase } from '@stratum/shared';
import { seedDemonstration } from '../demonstration/index.js';
import type { Stack } from './stack.js';

/** Returns whether it was made by this call. */
export async function addDemonstration({
  addresses,
  environment,
}: Pick<Stack, 'addresses' | 'environment'>): Promise<boolean> {
  const configuration = loadConfiguration(['DATABASE_URL', 'STRATUM_CREDENTIALS_KEY'], environment);
  const pool = openDatabase({ url: configuration.DATABASE_URL, name: 'stratum-up' });
  try {
    return await seedDemonstration(pool, configuration.STRATUM_CREDENTIALS_KEY, {
      sandboxUrl: addresses.sandbox ?? '',
      whatsappToken: SANDBOX_CREDENTIALS.metaAccessToken,
      wordpress: WORDPRESS_USER,
      now: new Date(),
    });
  } finally {
    await pool.end();
  }
}
