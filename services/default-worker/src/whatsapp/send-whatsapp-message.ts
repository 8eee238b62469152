/**
 * `send_whatsapp_message`: check again at this very moment → note that sending begins → send → note the outcome.
 *
 * The provider knows no idempotency, so a message whose sending has begun and whose end nobody knows is never sent again: it becomes
 * `unknown`, and the provider's report settles it.
 */
import { TaskError, type HandlerFor } from '@stratum/jobs';
import {
  closeAlert,
  openAlert,
  openCredentials,
  sendWhatsappMessage,
  withTenant,
  type KeyRing,
} from '@stratum/shared';
import type { Pool, PoolClient } from 'pg';
import { z } from 'zod';
import { contactsOf, hasOptedOut, shareConsent } from './contacts.js';
import { untilQuietEnds } from './quiet-hours.js';
import {
  WhatsAppAwayError,
  type OutgoingMessage,
  type SendResult,
  type WhatsAppClient,
} from '@stratum/connectors/whatsapp';

interface MessageRow {
  state: string;
  provider_id: string | null;
  tenant_gone: boolean;
  /** Since its sending began. */
  sending_ms: number;
  parameters: string[];
  body: string | null;
  phone_number_id: string;
  secret: Buffer;
  secret_key_id: string;
  account_id: string;
  account_status: string;
  per_minute: number;
  contact_id: string;
  phone: Buffer;
  phone_key_id: string;
  phone_hash: Buffer;
  opted_in_at: Date | null;
  opted_out_at: Date | null;
  last_inbound_at: Date | null;
  template: string | null;
  language: string | null;
  template_status: string | null;
  template_parameters: number | null;
  time_zone: string;
  quiet_hours: unknown;
}

const READ = `
  SELECT m.state, m.provider_id, m.parameters, m.body, a.phone_number_id, a.secret, a.secret_key_id, a.id AS account_id, a.status AS account_status,
    a.per_minute, c.id AS contact_id, c.phone, c.phone_key_id, c.phone_hash, c.opted_in_at, c.opted_out_at, c.last_inbound_at,
    t.name AS template, t.language, t.status AS template_status, t.parameters AS template_parameters,
    extract(epoch FROM now() - m.sent_at)::float8 * 1000 AS sending_ms, NOT is_open(tenant) AS tenant_gone, tenant.time_zone, tenant.settings -> 'quiet_hours' AS quiet_hours
  FROM whatsapp_message m
  JOIN tenant ON tenant.id = m.tenant_id
  JOIN whatsapp_account a ON a.tenant_id = m.tenant_id AND a.id = m.account_id
  JOIN whatsapp_contact c ON c.tenant_id = m.tenant_id AND c.id = m.contact_id
  LEFT JOIN whatsapp_template t ON t.tenant_id = m.tenant_id AND t.id = m.template_id
  WHERE m.id = $1 FOR UPDATE OF m`;

/** A task does not live longer. */
const LONGEST_SENDING_MS = 60_000;
const WINDOW_MS = 24 * 3_600_000;
const MINUTE_MS = 60_000;
const MAX_RETRIES = sendWhatsappMessage.retry.maxRetries ?? 0;
const PAUSED_RETRY_MS = 15 * MINUTE_MS;

/** The checks before anything is sent. */
type Start =
  | { kind: 'send'; row: MessageRow }
  | { kind: 'done'; state: string; providerId: string | null }
  | { kind: 'wait'; ms: number };

export function sendWhatsappMessageHandler({
  pool,
  keys,
  whatsapp,
}: {
  pool: Pool;
  keys: KeyRing;
  whatsapp: WhatsAppClient;
}): HandlerFor<typeof sendWhatsappMessage> {
  return async ({ tenant_id: tenantId, message_id: messageId }, context) => {
    const start = await withTenant(pool, tenantId, (client) =>
      begin(client, { tenantId, keys, messageId, comesAgain: context.deliveries > 1 }),
    );
    if (start.kind === 'wait') return context.snooze(start.ms);
    if (start.kind === 'done')
      return { message_id: messageId, state: start.state, provider_id: start.providerId };
    const result = await whatsapp.send(compose(keys, tenantId, messageId, start.row), context.signal);
    const waits = result.outcome === 'later' && context.retries >= MAX_RETRIES;
    const state = await withTenant(pool, tenantId, async (client) => {
      const settled = await settle(client, { tenantId, keys, messageId, row: start.row, result });
      if (waits) await keepClaim(client, messageId, PAUSED_RETRY_MS);
      return settled;
    });
    // A provider that is away for long makes no dead letter of what can still be sent.
    if (waits) context.snooze(PAUSED_RETRY_MS);
    if (result.outcome === 'later')
      context.retry({
        ...(result.afterMs === undefined ? {} : { delayMs: result.afterMs }),
        ...(result.isAway ? { cause: new WhatsAppAwayError(result.reason) } : {}),
      });
    return {
      message_id: messageId,
      state,
      provider_id: result.outcome === 'accepted' ? result.providerId : null,
    };
  };
}

/** @param comesAgain the task was handed to a worker before, which was lost */
async function begin(
  client: PoolClient,
  {
    tenantId,
    keys,
    messageId,
    comesAgain,
  }: { tenantId: number; keys: KeyRing; messageId: number; comesAgain: boolean },
): Promise<Start> {
  const { rows } = await client.query<MessageRow>(READ, [messageId]);
  const [row] = rows;
  if (row === undefined) throw new TaskError(`There is no message ${messageId}.`, { retryable: false });
  const set = async (state: string, error: string): Promise<Start> => {
    await client.query('UPDATE whatsapp_message SET state = $2, error = $3 WHERE id = $1', [
      messageId,
      state,
      error,
    ]);
    return { kind: 'done', state, providerId: null };
  };
  // Begun by a worker that was lost: it may be out. Of two tasks for one message the other one may be at it this moment.
  if (row.state === 'sending' && (comesAgain || row.sending_ms > LONGEST_SENDING_MS))
    return set('unknown', 'the worker was lost while it was sending');
  if (row.state !== 'claimed') return { kind: 'done', state: row.state, providerId: row.provider_id };
  if (row.tenant_gone) return set('suppressed', 'the tenant is gone');
  if (row.account_status !== 'active') return wait(client, messageId, PAUSED_RETRY_MS);
  const named = { tenantId, keys, ids: [phoneOf(keys, tenantId, row)], known: [row.contact_id] };
  if (row.opted_out_at !== null || (await hasOptedOut(client, named)))
    return set('suppressed', 'the contact has opted out');
  if (row.opted_in_at === null) return set('suppressed', 'the contact has not opted in');
  const isOpen = row.last_inbound_at !== null && Date.now() - row.last_inbound_at.getTime() < WINDOW_MS;
  if (row.template === null && !isOpen)
    return set(
      'failed',
      'free text needs a message from the contact within the last 24 hours; use a template',
    );
  if (row.template !== null && row.template_status !== 'approved')
    return set('failed', `the template “${row.template}” is not approved`);
  if (row.template !== null && row.template_parameters !== row.parameters.length) {
    return set(
      'failed',
      `the template “${row.template}” takes ${row.template_parameters} parameters, not ${row.parameters.length}`,
    );
  }
  const waitMs =
    untilQuietEnds(row.quiet_hours, row.time_zone, new Date()) || (await waitForTurn(client, row));
  if (waitMs > 0) return wait(client, messageId, waitMs);
  await client.query(
    `UPDATE whatsapp_message SET state = 'sending', sent_at = now(), error = NULL WHERE id = $1`,
    [messageId],
  );
  return { kind: 'send', row };
}

/** The claim is kept as long as its task waits, so that nobody takes it for lost and enqueues a second one. */
async function wait(client: PoolClient, messageId: number, ms: number): Promise<Start> {
  await keepClaim(client, messageId, ms);
  return { kind: 'wait', ms };
}

async function keepClaim(client: PoolClient, messageId: number, ms: number): Promise<void> {
  await client.query(
    `UPDATE whatsapp_message SET claimed_at = now() + $2 * interval '1 millisecond' WHERE id = $1 AND state = 'claimed'`,
    [messageId, ms],
  );
}

/** Milliseconds until the number may send again. Callers wait for those before them. */
async function waitForTurn(
  client: PoolClient,
  { account_id: accountId, per_minute: limit }: MessageRow,
): Promise<number> {
  await client.query(`SELECT pg_advisory_xact_lock(hashtext('stratum.whatsapp'), $1::int)`, [accountId]);
  const { rows } = await client.query<{ sent_at: Date }>(
    `SELECT sent_at FROM whatsapp_message WHERE account_id = $1 AND sent_at > now() - interval '1 minute' ORDER BY sent_at DESC OFFSET $2 LIMIT 1`,
    [accountId, limit - 1],
  );
  const [oldest] = rows;
  return oldest === undefined ? 0 : Math.max(1_000, oldest.sent_at.getTime() + MINUTE_MS - Date.now());
}

const secretSchema = z.object({ access_token: z.string() });

function phoneOf(
  keys: KeyRing,
  tenantId: number,
  { phone, phone_key_id: keyId, phone_hash: hash }: MessageRow,
): string {
  const contact = { tenantId, platform: 'whatsapp_contact', externalId: hash.toString('hex') };
  return z.string().parse(openCredentials(keys, contact, { keyId, ciphertext: phone }));
}

function compose(keys: KeyRing, tenantId: number, messageId: number, row: MessageRow): OutgoingMessage {
  const account = { tenantId, platform: 'whatsapp', externalId: row.phone_number_id };
  const secret = secretSchema.parse(
    openCredentials(keys, account, { keyId: row.secret_key_id, ciphertext: row.secret }),
  );
  return {
    phoneNumberId: row.phone_number_id,
    accessToken: secret.access_token,
    to: phoneOf(keys, tenantId, row),
    reference: String(messageId),
    content:
      row.template === null || row.language === null
        ? { kind: 'text', body: row.body ?? '' }
        : { kind: 'template', name: row.template, language: row.language, parameters: row.parameters },
  };
}

async function settle(
  client: PoolClient,
  {
    tenantId,
    keys,
    messageId,
    row,
    result,
  }: { tenantId: number; keys: KeyRing; messageId: number; row: MessageRow; result: SendResult },
): Promise<string> {
  // A report of the provider may have been faster: only a message still "sending", or one taken for lost, is ours to change.
  const set = async (
    state: string,
    error: string | null,
    providerId: string | null = null,
  ): Promise<string> => {
    await client.query(
      `UPDATE whatsapp_message SET state = $2, error = $3, provider_id = coalesce(provider_id, $4) WHERE id = $1 AND state IN ('sending', 'unknown')`,
      [messageId, state, error, providerId],
    );
    return state;
  };
  switch (result.outcome) {
    case 'accepted':
      await closeAlert(client, pausedKey(row.account_id), 'the number sends again', new Date());
      if (result.knownAs.length > 0) {
        const named = { tenantId, keys, ids: result.knownAs, known: [row.contact_id] };
        await shareConsent(client, await contactsOf(client, named));
      }
      return set('accepted', null, result.providerId);
    case 'unknown':
      return set('unknown', result.reason);
    case 'failed':
      return set('failed', result.reason);
    case 'later':
      await set('claimed', result.reason);
      await keepClaim(client, messageId, result.afterMs ?? 0);
      return 'claimed';
    case 'opted_out':
      await client.query(
        'UPDATE whatsapp_contact SET opted_out_at = coalesce(opted_out_at, now()) WHERE id = $1',
        [row.contact_id],
      );
      return set('suppressed', result.reason);
    case 'account_paused': {
      await client.query(`UPDATE whatsapp_account SET status = 'paused', status_reason = $2 WHERE id = $1`, [
        row.account_id,
        result.reason,
      ]);
      await openAlert(client, {
        tenantId,
        key: pausedKey(row.account_id),
        kind: 'whatsapp_paused',
        severity: 'critical',
        title: 'A WhatsApp number can send no more',
        message: `The provider refuses it (${result.reason}). Check the account, then set it active again.`,
        at: new Date(),
      });
      await set('claimed', result.reason);
      await keepClaim(client, messageId, 0);
      return 'claimed';
    }
  }
}

function pausedKey(accountId: string): string {
  return `whatsapp/${accountId}`;
}
