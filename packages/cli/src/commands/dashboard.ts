import { loadConfiguration } from '@stratum/shared';
import { serverEnvironment } from '../environment.js';
import { readRunFile } from '../stack/run-file.js';
import { createSignInLink } from '../stack/sign-in-link.js';

/** For the dashboard of the local stack, or the one that the environment describes. */
export async function printSignInLink(): Promise<void> {
  const configuration = loadConfiguration(
    ['DATABASE_URL', 'DASHBOARD_HOST', 'DASHBOARD_PORT', 'DASHBOARD_PUBLIC_URL', 'DASHBOARD_BASE_PATH'],
    await serverEnvironment(),
  );
  const { DASHBOARD_HOST: host, DASHBOARD_PORT: port, DASHBOARD_PUBLIC_URL: publicUrl } = configuration;
  const address = publicUrl ?? (await readRunFile())?.dashboard ?? `http://${host}:${port}`;
  const place = `${address}${configuration.DASHBOARD_BASE_PATH}`;
  console.log(await createSignInLink(place, configuration.DATABASE_URL));
}
