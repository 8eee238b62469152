/** Which days a sync asks for. */
import { addDays, localDate, type DateWindow } from '@stratum/connectors/values';
import { adPlatform, type PlatformName } from '@stratum/connectors/ad-platforms';

export interface SyncWindow extends DateWindow {
  /** Whether it reaches over the platform's whole attribution window. */
  isWhole: boolean;
}

/**
 * From the last success less the days that the platform restates soon, until today in the account's time zone. The first sync of each local day
 * reads the whole attribution window: what is attributed late arrives within a day, at the price of one long reading among two dozen.
 */
export function syncWindow(
  account: {
    platform: PlatformName;
    timeZone: string;
    lastSyncedAt: Date | null;
    attributedAt: Date | null;
  },
  now: Date,
): SyncWindow {
  const { platform, timeZone, lastSyncedAt, attributedAt } = account;
  const { attributionLagDays, attributionWindowDays } = adPlatform(platform);
  const until = localDate(now, timeZone);
  const isWhole = lastSyncedAt === null || attributedAt === null || localDate(attributedAt, timeZone) < until;
  const whole = addDays(until, -attributionWindowDays);
  if (lastSyncedAt === null) return { since: whole, until, isWhole };
  const recent = addDays(localDate(lastSyncedAt, timeZone), -attributionLagDays);
  return { since: isWhole && whole < recent ? whole : recent, until, isWhole };
}
