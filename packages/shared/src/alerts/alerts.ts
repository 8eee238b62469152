/** Alerts open once and close once: a lasting condition is reported when it begins and when it ends, not at every check. */
import type { Queryable } from '../database/database.js';
import { recordDomainEvent } from '../domain-events/domain-events.js';

export interface AlertOptions {
  tenantId: number;
  /** Subject of the alert, the same at every check: for example `fatigue/17`. */
  key: string;
  kind: string;
  severity: 'info' | 'warning' | 'critical';
  title: string;
  message: string;
  details?: Record<string, unknown>;
  at: Date;
}

/**
 * Returns whether it is new: an open one of the same key stays as it is. A new one is published as `alert.triggered`.
 * Inside the caller's transaction, as the tenant.
 */
export async function openAlert(client: Queryable, alert: AlertOptions): Promise<boolean> {
  const { rows } = await client.query<{ id: string }>(
    `INSERT INTO alert (tenant_id, key, kind, severity, title, message, details, opened_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (tenant_id, key) WHERE closed_at IS NULL DO NOTHING
     RETURNING id`,
    [
      alert.tenantId,
      alert.key,
      alert.kind,
      alert.severity,
      alert.title,
      alert.message,
      JSON.stringify(alert.details ?? {}),
      alert.at,
    ],
  );
  const [opened] = rows;
  if (opened === undefined) return false;
  const { kind, severity, title, message, details = {}, at } = alert;
  const data = { alert_id: Number(opened.id), kind, severity, title, message, details };
  await recordDomainEvent(client, { type: 'alert.triggered', data, at });
  return true;
}

/** Returns whether one was open. */
export async function closeAlert(client: Queryable, key: string, reason: string, at: Date): Promise<boolean> {
  const { rowCount } = await client.query(
    'UPDATE alert SET closed_at = $2, close_reason = $3 WHERE key = $1 AND closed_at IS NULL',
    [key, at, reason],
  );
  return rowCount === 1;
}
