/**
 * The sum of what is stored against the account's own total, day by day: a campaign that no listing shows, or a row that was lost, shows as a
 * difference. It is an alert and no failure, because what was stored is right as far as it goes.
 */
import { closeAlert, openAlert, withTenant, type Queryable } from '@stratum/shared';
import { PlatformError, type DailySpend, type PlatformConnector } from '@stratum/connectors/ad-platforms';
import { localDate, minorDigits, unitsFromDecimal, type DateWindow } from '@stratum/connectors/values';
import type { Pool } from 'pg';
import type { SyncAccount } from './accounts.js';
import type { CampaignWriter } from './campaign-writer.js';

interface Difference {
  date: string;
  /** Decimals. */
  stored: string;
  reported: string;
}

const MICRO_DIGITS = 6;
const keyOf = (account: Pick<SyncAccount, 'id'>): string => `sync/total/${account.id}`;

export interface TotalsCheck {
  pool: Pool;
  tenantId: number;
  account: SyncAccount;
  connector: PlatformConnector;
  writer: CampaignWriter;
  window: DateWindow;
  now: Date;
  /** Reads all figures once more: of a reading in two pieces, rows can have moved from one into the other. */
  readAgain: (() => Promise<void>) | undefined;
  signal: AbortSignal;
}

/** Returns why the totals could not be compared, or `undefined`. */
export async function checkTotals(check: TotalsCheck): Promise<string | undefined> {
  const { pool, tenantId, account, connector, writer, window, now, readAgain, signal } = check;
  let reported: DailySpend[];
  try {
    reported = await connector.accountSpend(window, { signal });
  } catch (error) {
    // Everything is stored: the next sync compares.
    if (error instanceof PlatformError) return error.message;
    throw error;
  }
  const compare = (): Promise<Difference[]> =>
    withTenant(pool, tenantId, (client) => differences(client, account, window, reported, now));
  let found = await compare();
  if (found.length > 0 && readAgain !== undefined) {
    await readAgain();
    found = await compare();
  }
  const excess = found.filter(({ stored, reported: total }) => Number(stored) > Number(total));
  for (const { date } of excess) await writer.clearUnreported(date);
  if (excess.length > 0) found = await compare();
  await withTenant(pool, tenantId, (client) => tell(client, tenantId, account, found, now));
  return undefined;
}

/** Of days that are over: today's figures grow between two requests. */
async function differences(
  client: Queryable,
  account: SyncAccount,
  { since, until }: DateWindow,
  reported: readonly DailySpend[],
  now: Date,
): Promise<Difference[]> {
  const { rows } = await client.query<{ date: string; spend: string; campaigns: string }>(
    `SELECT m.date::text, sum(m.spend)::text AS spend, count(*) AS campaigns
     FROM campaign_metric_daily m JOIN campaign c ON c.tenant_id = m.tenant_id AND c.id = m.campaign_id
     WHERE c.tenant_id = current_tenant() AND c.account_id = $1 AND m.date BETWEEN $2 AND $3 GROUP BY m.date`,
    [account.id, since, until],
  );
  const stored = new Map(rows.map((row) => [row.date, row]));
  const totals = new Map<string, bigint>();
  for (const { date, spend } of reported) totals.set(date, (totals.get(date) ?? 0n) + microsOf(spend));
  const today = localDate(now, account.timeZone);
  const days = [...new Set([...stored.keys(), ...totals.keys()])].filter((date) => date < today).toSorted();
  return days.flatMap((date) => {
    const sum = unitsFromDecimal(stored.get(date)?.spend ?? '0', MICRO_DIGITS);
    const total = totals.get(date) ?? 0n;
    const gap = sum > total ? sum - total : total - sum;
    return gap <= roundingOf(account.currency, Number(stored.get(date)?.campaigns ?? 0))
      ? []
      : [{ date, stored: decimal(sum), reported: decimal(total) }];
  });
}

/** As the database keeps amounts: to a millionth. */
function microsOf(amount: string): bigint {
  return unitsFromDecimal(amount.replace(/(\.\d{6})\d+$/, '$1'), MICRO_DIGITS);
}

/** Platforms round each campaign's amount and the account's: by up to half the smallest unit each. */
function roundingOf(currency: string, campaigns: number): bigint {
  return (10n ** BigInt(MICRO_DIGITS - minorDigits(currency)) * BigInt(campaigns + 1)) / 2n;
}

const decimal = (micros: bigint): string => String(Number(micros) / 10 ** MICRO_DIGITS);

async function tell(
  client: Queryable,
  tenantId: number,
  account: SyncAccount,
  found: readonly Difference[],
  now: Date,
): Promise<void> {
  const [first] = found;
  if (first === undefined) {
    await closeAlert(client, keyOf(account), 'The sums are equal again.', now);
    return;
  }
  const { platform, externalId, currency } = account;
  await openAlert(client, {
    tenantId,
    key: keyOf(account),
    kind: 'sync_total_differs',
    severity: 'warning',
    title: `Spend of ${platform} ${externalId} is not complete`,
    message: `On ${found.length} ${found.length === 1 ? 'day' : 'days'} the campaigns’ spend differs from the account’s own total, first on ${first.date}: ${first.stored} ${currency} stored, ${first.reported} reported. Figures of this account are not to be relied on until the next sync has closed this alert.`,
    details: { platform, account_external_id: externalId, currency, days: found.slice(0, 31) },
    at: now,
  });
}
