/** Which days a sync asks for. */
import { addDays, localDate, type DateWindow } from '@stratum/connectors/values';
import type { PlatformName } from '@stratum/connectors/ad-platforms';

/** The first sync of an account reaches back this far. */
const FIRST_DAYS = 28;

/** The recent days read again each time: platforms restate them while conversions are attributed to them. */
const ATTRIBUTION_LAG_DAYS: Readonly<Record<PlatformName, number>> = {
  meta: 7,
  google: 7,
  tiktok: 5,
  snapchat: 5,
};

/** From the last success less the attribution lag, or 28 days back, until today in the account's time zone. */
export function syncWindow(
  account: { platform: PlatformName; timeZone: string; lastSyncedAt: Date | null },
  now: Date,
): DateWindow {
  const until = localDate(now, account.timeZone);
  if (account.lastSyncedAt === null) return { since: addDays(until, -FIRST_DAYS), until };
  const last = localDate(account.lastSyncedAt, account.timeZone);
  return { since: addDays(last, -ATTRIBUTION_LAG_DAYS[account.platform]), until };
}
