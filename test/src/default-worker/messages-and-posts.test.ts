/** Messages that are sent once and posts that are published once, whatever dies on the way. */
import { createHash } from 'node:crypto';
import { applyDeliveryState, createDefaultHandlers, type WhatsAppState } from '@stratum/default-worker';
import { WhatsAppClient } from '@stratum/connectors/whatsapp';
import type { TaskRecord } from '@stratum/jobs';
import { runTask, type TaskRun } from '@stratum/jobs/testing';
import { SANDBOX_CREDENTIALS, startSandbox, WORDPRESS_USER, type Sandbox } from '@stratum/sandbox';
import {
  parseKeyRing,
  processScheduledWhatsapp,
  publishCmsPost,
  publishScheduledCmsPosts,
  sealCredentials,
  sendWhatsappMessage,
  withTenant,
} from '@stratum/shared';
import { SafeFetch } from '@stratum/connectors/safe-fetch';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { testKeyText, waitFor } from '../harness/index.js';
import { openPlatform, OTHER_TENANT, TENANT, type Platform } from '../harness/platform.js';

const PHONE_NUMBER_ID = '100200300';

interface Outbox extends Platform {
  sandbox: Sandbox;
  /** Runs a handler without the broker. */
  attempt: (
    task: string,
    payload: unknown,
    options?: { deliveries?: number; retries?: number },
  ) => Promise<TaskRun>;
  start: () => void;
  addContact: (
    phone: string,
    more?: { optedOut?: boolean; optedIn?: boolean; inbound?: string },
  ) => Promise<number>;
  addMessage: (
    contactId: number,
    more?: { body?: string; parameters?: string[]; scheduledAt?: string; state?: string },
  ) => Promise<number>;
  message: (id: number) => Promise<Record<string, unknown>>;
  addPost: (
    slug: string,
    more?: { title?: string; publishAt?: string; unpublishAt?: string; site?: boolean },
  ) => Promise<number>;
  post: (id: number) => Promise<Record<string, unknown>>;
}

const PAST = '2026-11-20T10:00:00Z';

async function openOutbox({
  perMinute = 60,
  whatsappUrl,
}: { perMinute?: number; whatsappUrl?: string } = {}): Promise<Outbox> {
  const platform = await openPlatform();
  const { database, query, connection, topology, client, prefix, startWorker } = platform;
  const sandbox = await startSandbox({ now: () => new Date('2026-11-20T12:00:00Z') });
  onTestFinished(() => sandbox.stop());
  const keys = parseKeyRing(testKeyText());
  const handlers = createDefaultHandlers({
    pool: database.as('stratum_default_worker'),
    connection,
    topology,
    client,
    prefix,
    keys,
    audit: { keys },
    whatsapp: new WhatsAppClient({
      baseUrl: `${whatsappUrl ?? sandbox.url}/whatsapp/v26.0`,
      timeoutMs: 2_000,
    }),
    site: new SafeFetch({ allowedHosts: [new URL(sandbox.url).host] }),
  });
  const account = sealCredentials(
    keys,
    { tenantId: TENANT, platform: 'whatsapp', externalId: PHONE_NUMBER_ID },
    { access_token: SANDBOX_CREDENTIALS.metaAccessToken },
  );
  await query(
    `INSERT INTO whatsapp_account (tenant_id, id, phone_number_id, secret, secret_key_id, per_minute) VALUES (1, 1, $1, $2, $3, $4)`,
    [PHONE_NUMBER_ID, account.ciphertext, account.keyId, perMinute],
  );
  await query(
    `INSERT INTO whatsapp_template (tenant_id, id, name, language, status, parameters) VALUES (1, 1, 'winter_sale', 'en', 'approved', 1)`,
  );
  const baseUrl = `${sandbox.url}/wordpress`;
  const site = sealCredentials(
    keys,
    { tenantId: TENANT, platform: 'wordpress', externalId: baseUrl },
    { application_password: WORDPRESS_USER.applicationPassword },
  );
  await query(
    `INSERT INTO cms_site (tenant_id, id, base_url, user_name, secret, secret_key_id) VALUES (1, 1, $1, $2, $3, $4)`,
    [baseUrl, WORDPRESS_USER.name, site.ciphertext, site.keyId],
  );
  const idOf = async (sql: string, values: unknown[]): Promise<number> =>
    Number((await query<{ id: string }>(`${sql} RETURNING id`, values))[0]?.id);
  const one = async (sql: string, id: number): Promise<Record<string, unknown>> =>
    (await query<Record<string, unknown>>(sql, [id]))[0] ?? {};
  return {
    ...platform,
    sandbox,
    start: () => startWorker('default', handlers),
    attempt: async (task, payload, options) => {
      const handler = handlers.find(({ contract }) => contract.name === task);
      if (handler === undefined) throw new Error(task);
      return runTask(handler, payload, options);
    },
    addContact: async (phone, { optedOut = false, optedIn = true, inbound } = {}) => {
      const hash = createHash('sha256').update(phone).digest();
      const sealed = sealCredentials(
        keys,
        { tenantId: TENANT, platform: 'whatsapp_contact', externalId: hash.toString('hex') },
        phone,
      );
      return idOf(
        `INSERT INTO whatsapp_contact (tenant_id, phone_hash, phone, phone_key_id, opted_in_at, opted_out_at, last_inbound_at) VALUES (1, $1, $2, $3, $4, $5, $6)`,
        [
          hash,
          sealed.ciphertext,
          sealed.keyId,
          optedIn ? PAST : null,
          optedOut ? PAST : null,
          inbound ?? null,
        ],
      );
    },
    addMessage: (contactId, { body, parameters = ['20 %'], scheduledAt = PAST, state = 'scheduled' } = {}) =>
      idOf(
        `INSERT INTO whatsapp_message (tenant_id, account_id, contact_id, template_id, parameters, body, scheduled_at, state) VALUES (1, 1, $1, $2, $3, $4, $5, $6)`,
        [
          contactId,
          body === undefined ? 1 : null,
          body === undefined ? parameters : [],
          body ?? null,
          scheduledAt,
          state,
        ],
      ),
    message: (id) => one('SELECT state, provider_id, error FROM whatsapp_message WHERE id = $1', id),
    addPost: (
      slug,
      { title = `About ${slug}`, publishAt = PAST, unpublishAt, site: connected = true } = {},
    ) =>
      idOf(
        `INSERT INTO cms_post (tenant_id, site_id, slug, title, content, status, publish_at, unpublish_at) VALUES (1, $1, $2, $3, 'Text', 'scheduled', $4, $5)`,
        [connected ? 1 : null, slug, title, publishAt, unpublishAt ?? null],
      ),
    post: (id) =>
      one('SELECT status, slug, version, remote_url, claim, error FROM cms_post WHERE id = $1', id),
  };
}

const TICK = { scheduledBy: { entry: 'test', tick: new Date('2026-11-20T12:00:00Z') } };
const send = (id: number): unknown => ({ tenant_id: TENANT, message_id: id });

describe('a WhatsApp message', () => {
  test('that is due goes out once, with our reference, and no other one does', async () => {
    const outbox = await openOutbox();
    const contact = await outbox.addContact('491510000001');
    const due = await outbox.addMessage(contact);
    const later = await outbox.addMessage(contact, { scheduledAt: '2026-11-21T10:00:00Z' });
    outbox.start();
    expect(await outbox.run(processScheduledWhatsapp, {}, TICK)).toEqual({ enqueued: 1 });
    await waitFor('it to be accepted', async () => (await outbox.message(due))['state'] === 'accepted');
    expect(outbox.sandbox.sentMessages()).toEqual([
      { id: 'wamid.1', from: PHONE_NUMBER_ID, to: '491510000001', reference: String(due) },
    ]);
    expect(await outbox.message(due)).toEqual({ state: 'accepted', provider_id: 'wamid.1', error: null });
    expect(await outbox.message(later)).toMatchObject({ state: 'scheduled' });
    expect(await outbox.run(processScheduledWhatsapp, {}, { ...TICK, id: 'again' })).toEqual({ enqueued: 0 });
    expect((await outbox.attempt(sendWhatsappMessage.name, send(due))).result).toMatchObject({
      state: 'accepted',
      provider_id: 'wamid.1',
    });
    expect(outbox.sandbox.sentMessages()).toHaveLength(1);
  });

  test.each([
    ['to somebody who has opted out', { optedOut: true }, {}, 'suppressed', 'the contact has opted out'],
    [
      'to somebody who has not opted in',
      { optedIn: false },
      {},
      'suppressed',
      'the contact has not opted in',
    ],
    [
      'of free text outside of the day’s window',
      { inbound: '2026-01-01T00:00:00Z' },
      { body: 'Hello' },
      'failed',
      'use a template',
    ],
    ['with the wrong number of parameters', {}, { parameters: [] }, 'failed', 'takes 1 parameters, not 0'],
  ])('%s is not sent', async (_name, contact, message, state, error) => {
    const outbox = await openOutbox();
    const id = await outbox.addMessage(await outbox.addContact('491510000001', contact), {
      ...message,
      state: 'claimed',
    });
    await outbox.attempt(sendWhatsappMessage.name, send(id));
    expect(await outbox.message(id)).toEqual({
      state,
      provider_id: null,
      error: expect.stringContaining(error),
    });
    expect(outbox.sandbox.sentMessages()).toEqual([]);
  });

  test('of free text is sent within a day of the contact’s own', async () => {
    const outbox = await openOutbox();
    const contact = await outbox.addContact('491510000001', {
      inbound: new Date(Date.now() - 3_600_000).toISOString(),
    });
    const id = await outbox.addMessage(contact, { body: 'Hello', state: 'claimed' });
    expect((await outbox.attempt(sendWhatsappMessage.name, send(id))).result).toMatchObject({
      state: 'accepted',
    });
  });

  test('whose end is unknown is not sent again; the provider’s report settles it', async () => {
    const outbox = await openOutbox();
    const { database, sandbox } = outbox;
    const lost = await outbox.addMessage(await outbox.addContact('491510000500'), { state: 'claimed' });
    await outbox.attempt(sendWhatsappMessage.name, send(lost));
    expect(await outbox.message(lost)).toEqual({ state: 'unknown', provider_id: null, error: 'code 131000' });
    await outbox.attempt(sendWhatsappMessage.name, send(lost), { deliveries: 2 });
    expect(sandbox.sentMessages()).toHaveLength(1);
    // A worker that died after it had begun.
    const begun = await outbox.addMessage(await outbox.addContact('491510000001'), { state: 'sending' });
    await outbox.attempt(sendWhatsappMessage.name, send(begun), { deliveries: 2 });
    expect(await outbox.message(begun)).toMatchObject({ state: 'unknown' });
    expect(sandbox.sentMessages()).toHaveLength(1);
    const settled = await withTenant(database.owner, TENANT, (client) =>
      applyDeliveryState(client, { providerId: 'wamid.1', messageId: lost, state: 'delivered' }),
    );
    expect(settled).toBe(true);
    expect(await outbox.message(lost)).toEqual({ state: 'delivered', provider_id: 'wamid.1', error: null });
  });

  test.each([
    ['491510000026', 'failed', 'succeeded'],
    ['491510000050', 'suppressed', 'succeeded'],
    ['491510000190', 'claimed', 'succeeded'],
    ['491510000429', 'claimed', 'retry'],
  ])('to %s ends as %s', async (phone, state, outcome) => {
    const outbox = await openOutbox();
    const contact = await outbox.addContact(phone);
    const id = await outbox.addMessage(contact, { state: 'claimed' });
    expect(await outbox.attempt(sendWhatsappMessage.name, send(id))).toMatchObject({ outcome });
    expect(await outbox.message(id)).toMatchObject({ state });
    const [account] = await outbox.query<{ status: string }>('SELECT status FROM whatsapp_account');
    expect(account?.status).toBe(phone.endsWith('0190') ? 'paused' : 'active');
    const [optedOut] = await outbox.query<{ out: boolean }>(
      'SELECT opted_out_at IS NOT NULL AS out FROM whatsapp_contact',
    );
    expect(optedOut?.out).toBe(phone.endsWith('0050'));
    if (outcome === 'retry') {
      expect((await outbox.attempt(sendWhatsappMessage.name, send(id), { retries: 1 })).result).toMatchObject(
        { state: 'accepted' },
      );
    }
  });

  test('waits without retries while WhatsApp is away, and goes out once it is back', async () => {
    const gone = await startSandbox();
    await gone.stop();
    const outbox = await openOutbox({ whatsappUrl: gone.url });
    const { client } = outbox;
    const tasks: { id: string; message: number }[] = [];
    for (let n = 0; n < 8; n++) {
      const message = await outbox.addMessage(await outbox.addContact(`49151000100${n}`), {
        state: 'claimed',
      });
      const { id } = await client.enqueue(sendWhatsappMessage, { tenant_id: TENANT, message_id: message });
      tasks.push({ id, message });
    }
    outbox.start();
    await waitFor('the circuit to open', async () =>
      (await client.control.circuits()).some(
        ({ service, state }) => service === 'whatsapp' && state === 'open',
      ),
    );
    const records = async (): Promise<(TaskRecord | undefined)[]> =>
      Promise.all(tasks.map(({ id }) => client.status(id)));
    await waitFor('all to wait', async () =>
      (await records()).every((each) => each?.state === 'SCHEDULED' || each?.state === 'RETRY'),
    );
    const spent = (await records()).reduce((sum, each) => sum + (each?.retries ?? 0), 0);
    expect(spent).toBeLessThan(5);
    const back = await startSandbox({ port: Number(new URL(gone.url).port) });
    onTestFinished(() => back.stop());
    await client.control.closeCircuit('whatsapp');
    for (const { id, message } of tasks) {
      expect(await client.result(id)).toMatchObject({ state: 'SUCCESS', result: { state: 'accepted' } });
      expect(await outbox.message(message)).toMatchObject({ state: 'accepted' });
    }
    expect(back.sentMessages()).toHaveLength(tasks.length);
    expect(await client.deadLetters.list()).toEqual([]);
  });

  test('waits when its number has reached the limit per minute', async () => {
    const outbox = await openOutbox({ perMinute: 2 });
    const contact = await outbox.addContact('491510000001');
    const ids = [];
    for (let count = 0; count < 3; count++) ids.push(await outbox.addMessage(contact, { state: 'claimed' }));
    const runs = [];
    for (const id of ids) runs.push(await outbox.attempt(sendWhatsappMessage.name, send(id)));
    expect(runs.map(({ outcome }) => outcome)).toEqual(['succeeded', 'succeeded', 'snoozed']);
    expect(runs[2]?.delayMs).toBeGreaterThan(50_000);
    expect(outbox.sandbox.sentMessages()).toHaveLength(2);
  });

  test('waits while the tenant’s contacts are left in peace, and for a number that was paused, with its claim', async () => {
    const { query, addContact, addMessage, attempt, sandbox, start, run } = await openOutbox();
    const id = await addMessage(await addContact('491510000001'), { state: 'claimed' });
    const hour = (shift: number): string =>
      `${String((new Date().getUTCHours() + shift + 24) % 24).padStart(2, '0')}:00`;
    const quiet = { quiet_hours: { from: hour(-1), until: hour(3) } };
    await query('UPDATE tenant SET settings = $1 WHERE id = 1', [JSON.stringify(quiet)]);
    const night = await attempt('send_whatsapp_message', send(id));
    expect(night.outcome).toBe('snoozed');
    expect(night.delayMs).toBeGreaterThan(2 * 3_600_000 - 1);
    expect(night.delayMs).toBeLessThanOrEqual(3 * 3_600_000);
    await query(`UPDATE tenant SET settings = '{}'; UPDATE whatsapp_account SET status = 'paused'`);
    expect(await attempt('send_whatsapp_message', send(id))).toMatchObject({
      outcome: 'snoozed',
      delayMs: 15 * 60_000,
    });
    // Its task waits, so the minute's job starts no second one, now or in ten minutes.
    start();
    expect(await run(processScheduledWhatsapp, {}, TICK)).toEqual({ enqueued: 0 });
    const [claim] = await query(
      `SELECT claimed_at > now() + interval '14 minutes' AS waits FROM whatsapp_message`,
    );
    expect(claim).toEqual({ waits: true });
    expect(sandbox.sentMessages()).toEqual([]);
  });

  test('that another task is sending is left to that task, whose answer counts in any case', async () => {
    const outbox = await openOutbox();
    const { query, sandbox } = outbox;
    const id = await outbox.addMessage(await outbox.addContact('491510000001'), { state: 'sending' });
    await query('UPDATE whatsapp_message SET sent_at = now()');
    expect((await outbox.attempt(sendWhatsappMessage.name, send(id))).result).toMatchObject({
      state: 'sending',
    });
    expect(await outbox.message(id)).toMatchObject({ state: 'sending', error: null });
    await query(`UPDATE whatsapp_message SET sent_at = now() - interval '2 minutes'`);
    await outbox.attempt(sendWhatsappMessage.name, send(id));
    expect(await outbox.message(id)).toMatchObject({ state: 'unknown' });
    expect(sandbox.sentMessages()).toEqual([]);
  });

  test('that the provider keeps deferring waits with its claim, and makes no dead letter', async () => {
    const outbox = await openOutbox();
    const id = await outbox.addMessage(await outbox.addContact('491510000429'), { state: 'claimed' });
    expect(await outbox.attempt(sendWhatsappMessage.name, send(id), { retries: 5 })).toMatchObject({
      outcome: 'snoozed',
      delayMs: 15 * 60_000,
    });
    expect(
      await outbox.query(
        `SELECT state, claimed_at > now() + interval '14 minutes' AS waits FROM whatsapp_message`,
      ),
    ).toEqual([{ state: 'claimed', waits: true }]);
    expect((await outbox.attempt(sendWhatsappMessage.name, send(id), { retries: 5 })).result).toMatchObject({
      state: 'accepted',
    });
  });

  test('of a number that was paused raises an alert, which ends when it sends again, and another one the next time', async () => {
    const { query, addContact, addMessage, attempt } = await openOutbox();
    const tries = async (phone: string): Promise<void> => {
      const id = await addMessage(await addContact(phone), { state: 'claimed' });
      await query(`UPDATE whatsapp_account SET status = 'active'`);
      await attempt(sendWhatsappMessage.name, send(id));
    };
    const alerts = (): Promise<unknown[]> => query('SELECT kind, close_reason FROM alert ORDER BY id');
    await tries('491510000190');
    expect(await alerts()).toEqual([{ kind: 'whatsapp_paused', close_reason: null }]);
    await tries('491510000001');
    const over = { kind: 'whatsapp_paused', close_reason: 'the number sends again' };
    expect(await alerts()).toEqual([over]);
    await tries('491510020190');
    expect(await alerts()).toEqual([over, { kind: 'whatsapp_paused', close_reason: null }]);
  });

  test('of a tenant that is gone is not claimed, nor sent by a task that has waited', async () => {
    const { query, addContact, addMessage, start, run, message, attempt, sandbox } = await openOutbox();
    const id = await addMessage(await addContact('491510000001'));
    await query('UPDATE tenant SET deleted_at = now() WHERE id = 1');
    start();
    expect(await run(processScheduledWhatsapp, {}, TICK)).toEqual({ enqueued: 0 });
    expect(await message(id)).toMatchObject({ state: 'scheduled' });
    await query(`UPDATE whatsapp_message SET state = 'claimed'`);
    await attempt(sendWhatsappMessage.name, send(id));
    expect(await message(id)).toMatchObject({ state: 'suppressed', error: 'the tenant is gone' });
    expect(sandbox.sentMessages()).toEqual([]);
  });

  test('never goes back: whatever the order of reports, the furthest state stays', async () => {
    const outbox = await openOutbox();
    const { database, query } = outbox;
    const contact = await outbox.addContact('491510000001');
    const ranks: Record<string, number> = { accepted: 0, sent: 1, delivered: 2, read: 3 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom<WhatsAppState>('sent', 'delivered', 'read'), { minLength: 1, maxLength: 6 }),
        async (reports) => {
          await query('DELETE FROM whatsapp_message');
          const id = await outbox.addMessage(contact, { state: 'accepted' });
          for (const state of reports) {
            await withTenant(database.owner, TENANT, (client) =>
              applyDeliveryState(client, { providerId: `wamid.${id}`, messageId: id, state }),
            );
          }
          const furthest = reports.toSorted((a, b) => (ranks[b] ?? 0) - (ranks[a] ?? 0))[0];
          expect((await outbox.message(id))['state']).toBe(furthest);
        },
      ),
      { numRuns: 25 },
    );
  });

  test('of another tenant cannot be sent by naming it', async () => {
    const outbox = await openOutbox();
    const id = await outbox.addMessage(await outbox.addContact('491510000001'), { state: 'claimed' });
    const run = await outbox.attempt(sendWhatsappMessage.name, { tenant_id: OTHER_TENANT, message_id: id });
    expect(run).toMatchObject({ outcome: 'failed', error: { message: `There is no message ${id}.` } });
  });
});

describe('a post', () => {
  const publish = (id: number, action = 'publish'): unknown => ({ tenant_id: TENANT, post_id: id, action });

  test('that is due appears on the site once, with its version, and disappears at its time', async () => {
    const outbox = await openOutbox();
    const { run, sandbox, query } = outbox;
    const due = await outbox.addPost('winter-boots', { unpublishAt: '2026-11-20T11:00:00Z' });
    const later = await outbox.addPost('spring-shoes', { publishAt: '2027-03-01T00:00:00Z' });
    outbox.start();
    expect(await run(publishScheduledCmsPosts, {}, TICK)).toEqual({ enqueued: 1 });
    await waitFor('it to be published', async () => (await outbox.post(due))['status'] === 'published');
    expect(await outbox.post(due)).toEqual({
      status: 'published',
      slug: 'winter-boots',
      version: 1,
      remote_url: `${sandbox.url}/wordpress/winter-boots/`,
      claim: null,
      error: null,
    });
    expect(await outbox.post(later)).toMatchObject({ status: 'scheduled' });
    expect(sandbox.posts()).toMatchObject([{ slug: 'winter-boots', status: 'publish' }]);
    expect(await query('SELECT version, slug, title FROM cms_post_version')).toEqual([
      { version: 1, slug: 'winter-boots', title: 'About winter-boots' },
    ]);
    expect(await run(publishScheduledCmsPosts, {}, { ...TICK, id: 'next' })).toEqual({ enqueued: 1 });
    await waitFor('it to disappear', async () => (await outbox.post(due))['status'] === 'unpublished');
    expect(sandbox.posts()).toMatchObject([{ slug: 'winter-boots', status: 'draft' }]);
  });

  test.each(['Boots & Socks', 'A space at its end ', 'Größe <b>36</b>'])(
    'whose answer was lost is not made a second time: %j',
    async (title) => {
      const outbox = await openOutbox();
      const id = await outbox.addPost('fails-after-it-is-made', { title });
      expect(await outbox.attempt(publishCmsPost.name, publish(id))).toMatchObject({ outcome: 'retry' });
      expect(await outbox.post(id)).toMatchObject({
        status: 'scheduled',
        error: 'The site refused the request (HTTP 502).',
      });
      expect((await outbox.attempt(publishCmsPost.name, publish(id), { retries: 1 })).result).toMatchObject({
        status: 'published',
        slug: 'fails-after-it-is-made',
      });
      expect(outbox.sandbox.posts()).toHaveLength(1);
    },
  );

  test('takes another slug when the site has a different post under its own', async () => {
    const outbox = await openOutbox();
    const first = await outbox.addPost('sale', { title: 'The winter sale' });
    await outbox.attempt(publishCmsPost.name, publish(first));
    await outbox.query(`UPDATE cms_post SET slug = 'old-sale' WHERE id = $1`, [first]);
    const second = await outbox.addPost('sale', { title: 'The spring sale' });
    expect((await outbox.attempt(publishCmsPost.name, publish(second))).result).toMatchObject({
      slug: 'sale-2',
    });
    expect(outbox.sandbox.posts().map(({ slug, title }) => [slug, title])).toEqual([
      ['sale', 'The winter sale'],
      ['sale-2', 'The spring sale'],
    ]);
  });

  test('that the site refuses raises one alert, which ends when the site takes it', async () => {
    const { query, addPost, attempt, post } = await openOutbox();
    const id = await addPost('refused');
    await query(`UPDATE cms_site SET user_name = 'nobody'`);
    expect(await attempt('publish_cms_post', publish(id))).toMatchObject({
      outcome: 'succeeded',
      result: { status: 'scheduled', error: 'The site refused the request (HTTP 401, rest_cannot_create).' },
    });
    await attempt('publish_cms_post', publish(id));
    const alerts = (): Promise<unknown[]> => query('SELECT title, close_reason FROM alert');
    const title = 'The site does not publish “About refused”';
    expect(await alerts()).toEqual([{ title, close_reason: null }]);
    await query('UPDATE cms_site SET user_name = $1', [WORDPRESS_USER.name]);
    await attempt('publish_cms_post', publish(id));
    expect(await post(id)).toMatchObject({ status: 'published', error: null });
    expect(await alerts()).toEqual([{ title, close_reason: 'published' }]);
  });

  /** The pause before its next try, in minutes; -1 when there is none. */
  const pause = (id: number): string =>
    `SELECT failures, coalesce(round(extract(epoch FROM next_attempt_at - now()) / 60), -1)::int AS minutes FROM cms_post WHERE id = ${id}`;

  test('that the site refuses is tried again after growing pauses, without a dead letter, and at once when it or the site is changed', async () => {
    const { query, addPost, attempt, run, start, client, post } = await openOutbox();
    const id = await addPost('refused');
    await query(`UPDATE cms_site SET user_name = 'nobody'`);
    start();
    expect(await run(publishScheduledCmsPosts, {}, TICK)).toEqual({ enqueued: 1 });
    await waitFor(
      'it to be put off',
      async () => (await query<{ failures: number }>(pause(id)))[0]?.failures === 1,
    );
    expect(await query(pause(id))).toEqual([{ failures: 1, minutes: 10 }]);
    expect(await post(id)).toMatchObject({
      status: 'scheduled',
      claim: null,
      error: expect.stringContaining('401'),
    });
    expect(await run(publishScheduledCmsPosts, {}, { ...TICK, id: 'second' })).toEqual({ enqueued: 0 });
    for (const minutes of [20, 40, 80, 160, 320, 640, 1280, 1440, 1440]) {
      await attempt('publish_cms_post', publish(id));
      expect((await query(pause(id)))[0]).toMatchObject({ minutes });
    }
    expect(await client.deadLetters.list()).toEqual([]);
    await query(`UPDATE cms_post SET title = 'Mended' WHERE id = $1`, [id]);
    expect(await query(pause(id))).toEqual([{ failures: 0, minutes: -1 }]);
    await attempt('publish_cms_post', publish(id));
    await query('UPDATE cms_site SET user_name = $1', [WORDPRESS_USER.name]);
    expect(await query(pause(id))).toEqual([{ failures: 0, minutes: -1 }]);
    expect(
      await run(
        publishScheduledCmsPosts,
        {},
        { ...TICK, id: 'third', scheduledBy: { entry: 'test', tick: new Date('2026-11-20T12:01:00Z') } },
      ),
    ).toEqual({ enqueued: 1 });
    await waitFor('it to be published', async () => (await post(id))['status'] === 'published');
  });

  test('that the site does not unpublish stays published, with an alert, until it does', async () => {
    const { query, addPost, attempt, post, sandbox } = await openOutbox();
    const id = await addPost('stays', { unpublishAt: '2026-11-20T11:00:00Z' });
    await attempt('publish_cms_post', publish(id));
    await query(`UPDATE cms_site SET user_name = 'nobody'`);
    await attempt('publish_cms_post', publish(id, 'unpublish'));
    expect(await post(id)).toMatchObject({
      status: 'published',
      claim: null,
      error: expect.stringContaining('401'),
    });
    expect(await query(pause(id))).toEqual([{ failures: 1, minutes: 10 }]);
    expect(await query('SELECT title FROM alert WHERE closed_at IS NULL')).toEqual([
      { title: 'The site does not unpublish “About stays”' },
    ]);
    await query('UPDATE cms_site SET user_name = $1', [WORDPRESS_USER.name]);
    await attempt('publish_cms_post', publish(id, 'unpublish'));
    expect(await post(id)).toMatchObject({ status: 'unpublished', error: null });
    expect(sandbox.posts()).toMatchObject([{ status: 'draft' }]);
    expect(await query('SELECT FROM alert WHERE closed_at IS NULL')).toEqual([]);
  });

  test('whose site is down is put off after the last retry; taken back, its alert is over', async () => {
    const { query, addPost, attempt } = await openOutbox();
    const id = await addPost('fails-after-all');
    const down = await attempt('publish_cms_post', publish(id), { retries: 5 });
    expect(down).toMatchObject({ outcome: 'succeeded', result: { status: 'scheduled' } });
    expect(await query(pause(id))).toEqual([{ failures: 1, minutes: 10 }]);
    await query(`UPDATE cms_post SET status = 'draft'`);
    expect(await query('SELECT close_reason FROM alert')).toEqual([{ close_reason: 'draft' }]);
  });

  test('that was removed from its site is made again; on another site it is another post', async () => {
    const { query, addPost, attempt, post, sandbox } = await openOutbox();
    const id = await addPost('comes-back');
    await attempt('publish_cms_post', publish(id));
    await query(`UPDATE cms_post SET status = 'scheduled', remote_id = 4711`);
    expect((await attempt('publish_cms_post', publish(id))).result).toMatchObject({
      status: 'published',
      error: null,
    });
    expect(sandbox.posts()).toHaveLength(1);
    await query(`UPDATE cms_post SET site_id = NULL`);
    expect(await post(id)).toMatchObject({ remote_url: null });
  });

  test('is never written over by another one of ours with the same title, nor kept back by its slug', async () => {
    const { query, addPost, attempt, post, sandbox } = await openOutbox();
    const foreign = await addPost('news', { title: 'By hand' });
    await attempt('publish_cms_post', publish(foreign));
    await query('DELETE FROM cms_post_version; DELETE FROM cms_post');
    const first = await addPost('news', { title: 'News of the week' });
    const second = await addPost('news-2', { title: 'News of the week' });
    expect((await attempt('publish_cms_post', publish(first))).result).toMatchObject({
      status: 'published',
      slug: 'news-2',
    });
    expect(await post(first)).toMatchObject({
      slug: 'news',
      remote_url: expect.stringContaining('/news-2/'),
    });
    expect((await attempt('publish_cms_post', publish(second))).result).toMatchObject({ slug: 'news-2-2' });
    expect(sandbox.posts().map(({ slug }) => slug)).toEqual(['news', 'news-2', 'news-2-2']);
  });

  test('of a tenant that is gone is not published', async () => {
    const { query, addPost, attempt, post, sandbox } = await openOutbox();
    const id = await addPost('too-late');
    await query('UPDATE tenant SET deleted_at = now() WHERE id = 1');
    expect((await attempt(publishCmsPost.name, publish(id))).result).toMatchObject({ status: 'scheduled' });
    expect(await post(id)).toMatchObject({ status: 'scheduled', claim: null });
    expect(sandbox.posts()).toEqual([]);
  });

  test('is published by one of many at the same time, and without a site, too', async () => {
    const outbox = await openOutbox();
    const id = await outbox.addPost('together');
    await Promise.all(Array.from({ length: 5 }, () => outbox.attempt(publishCmsPost.name, publish(id))));
    expect(outbox.sandbox.posts()).toHaveLength(1);
    expect(await outbox.query('SELECT version FROM cms_post_version')).toEqual([{ version: 1 }]);
    const own = await outbox.addPost('only-here', { site: false });
    expect((await outbox.attempt(publishCmsPost.name, publish(own))).result).toEqual({
      post_id: own,
      status: 'published',
      slug: 'only-here',
      url: null,
      error: null,
    });
  });
});
