/** Which days a sync asks for. */
import { addDays, localDate, type DateWindow } from '@stratum/connectors/values';
import { adPlatform, type PlatformName } from '@stratum/connectors/ad-platforms';

/** The first sync of an account reaches back this far. */
const FIRST_DAYS = 28;

/** From the last success less the attribution lag, or 28 days back, until today in the account's time zone. */
export function syncWindow(
  account: { platform: PlatformName; timeZone: string; lastSyncedAt: Date | null },
  now: Date,
): DateWindow {
  const until = localDate(now, account.timeZone);
  if (account.lastSyncedAt === null) return { since: addDays(until, -FIRST_DAYS), until };
  const last = localDate(account.lastSyncedAt, account.timeZone);
  return { since: addDays(last, -adPlatform(account.platform).attributionLagDays), until };
}
