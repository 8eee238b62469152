/** Faults of a tenant's data, with their severity. */

export type PipelineStatus = 'healthy' | 'degraded' | 'critical';

export interface Finding {
  severity: Exclude<PipelineStatus, 'healthy'>;
  text: string;
}

export interface AccountState {
  id: number;
  platform: string;
  externalId: string;
  status: string;
  lastSyncedAt: Date | null;
  tokenExpiresAt: Date | null;
  /** Syncs that ended within the last day. */
  runs: number;
  failed: number;
  /** Of the last seven complete days since its first figures, those without any. */
  missingDays: string[];
}

export interface SharedState {
  queues: readonly { queue: string; waiting: number; oldest_seconds: number }[];
  deadLetters: number;
}

const HOUR_MS = 3_600_000;
/** An account that was synced longer ago is late. */
export const STALE_MS = 2 * HOUR_MS;
const VERY_STALE_MS = 24 * HOUR_MS;
const TOKEN_WARNING_MS = 7 * 24 * HOUR_MS;
const MIN_RUNS = 3;
const SUCCESS = { degraded: 0.9, critical: 0.5 } as const;
const LAG_SECONDS = { degraded: 900, critical: 3_600 } as const;
const MANY_DEAD = 20;

export function findingsOf(accounts: readonly AccountState[], shared: SharedState, now: Date): Finding[] {
  return [
    ...accounts.flatMap((account) => [
      ...freshness(account, now),
      ...access(account, now),
      ...success(account),
      ...gaps(account),
    ]),
    ...shared.queues.flatMap(lag),
    ...deadLetters(shared.deadLetters),
  ];
}

export function statusOf(findings: readonly Finding[]): PipelineStatus {
  if (findings.some(({ severity }) => severity === 'critical')) return 'critical';
  return findings.length > 0 ? 'degraded' : 'healthy';
}

export function isStale(
  { status, lastSyncedAt }: Pick<AccountState, 'status' | 'lastSyncedAt'>,
  now: Date,
): boolean {
  return (
    status === 'connected' && (lastSyncedAt === null || now.getTime() - lastSyncedAt.getTime() > STALE_MS)
  );
}

function freshness(account: AccountState, now: Date): Finding[] {
  if (!isStale(account, now)) return [];
  const { lastSyncedAt } = account;
  if (lastSyncedAt === null)
    return [{ severity: 'degraded', text: `${nameOf(account)} has never been synced` }];
  const age = now.getTime() - lastSyncedAt.getTime();
  const hours = Math.floor(age / HOUR_MS);
  return [
    {
      severity: age > VERY_STALE_MS ? 'critical' : 'degraded',
      text: `${nameOf(account)} was last synced ${hours} hours ago`,
    },
  ];
}

function access(account: AccountState, now: Date): Finding[] {
  if (account.status === 'needs_reconnect') {
    return [{ severity: 'critical', text: `${nameOf(account)} must be connected again` }];
  }
  const left = account.tokenExpiresAt === null ? Infinity : account.tokenExpiresAt.getTime() - now.getTime();
  if (left <= 0) return [{ severity: 'critical', text: `the access of ${nameOf(account)} has expired` }];
  if (left > TOKEN_WARNING_MS) return [];
  return [
    {
      severity: 'degraded',
      text: `the access of ${nameOf(account)} expires in ${Math.ceil(left / (24 * HOUR_MS))} days`,
    },
  ];
}

function success(account: AccountState): Finding[] {
  const { runs, failed } = account;
  if (runs < MIN_RUNS) return [];
  const rate = (runs - failed) / runs;
  if (rate >= SUCCESS.degraded) return [];
  const severity = rate < SUCCESS.critical ? 'critical' : 'degraded';
  return [{ severity, text: `${failed} of ${runs} syncs of ${nameOf(account)} failed within a day` }];
}

function gaps(account: AccountState): Finding[] {
  if (account.missingDays.length === 0) return [];
  return [
    { severity: 'degraded', text: `${nameOf(account)} has no figures for ${account.missingDays.join(', ')}` },
  ];
}

function lag({ queue, oldest_seconds: seconds }: SharedState['queues'][number]): Finding[] {
  if (seconds < LAG_SECONDS.degraded) return [];
  const severity = seconds >= LAG_SECONDS.critical ? 'critical' : 'degraded';
  return [
    {
      severity,
      text: `the oldest task of the queue ${queue} has waited ${Math.round(seconds / 60)} minutes`,
    },
  ];
}

function deadLetters(count: number): Finding[] {
  if (count === 0) return [];
  return [
    {
      severity: count >= MANY_DEAD ? 'critical' : 'degraded',
      text: `${count} tasks failed for good within an hour`,
    },
  ];
}

function nameOf({ platform, externalId }: AccountState): string {
  return `the ${platform} account ${externalId}`;
}
