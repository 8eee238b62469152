/** An API version that has ended stops every sync of its platform, until somebody acts: an alert says what to do. */
import { closeAlert, openAlert, type Queryable } from '@stratum/shared';
import { adPlatform, type PlatformError, type PlatformName } from '@stratum/connectors/ad-platforms';

const keyOf = (platform: PlatformName): string => `platform/${platform}/version`;

export async function tellVersionEnded(
  client: Queryable,
  tenantId: number,
  platform: PlatformName,
  error: PlatformError,
): Promise<void> {
  const { title, endpoints } = adPlatform(platform);
  const [setting = ''] = Object.keys(endpoints);
  await openAlert(client, {
    tenantId,
    key: keyOf(platform),
    kind: 'platform_version_ended',
    severity: 'critical',
    title: `${title} refuses the version of its API that is in use`,
    message: `${error.message} (${error.platformCode ?? 'no code'}). Nothing of ${title} is synced or changed until then: update Stratum, or set ${setting} to a version that ${title} supports and restart the workers.`,
    details: { platform, setting, code: error.platformCode ?? null },
    at: new Date(),
  });
}

export async function versionIsGood(client: Queryable, platform: PlatformName): Promise<void> {
  await closeAlert(client, keyOf(platform), 'A sync has succeeded.', new Date());
}
