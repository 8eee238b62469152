/**
 * Data for every job to say something true about: rules, competitors, customers and what they did, messages and posts.
 * Made after the first sync, because much of it belongs to campaigns. The same rows at every call.
 */
import { randomBytes } from 'node:crypto';
import type { Pool, PoolClient } from 'pg';
import {
  contactRow,
  lookupHash,
  plainHash,
  sealCredentials,
  type KeyRing,
  withTenant,
} from '@stratum/shared';
import { saveSegment, funnelSchema } from '@stratum/shared/customer-data';
import { ruleDefinitionSchema, type RuleDefinitionInput } from '@stratum/shared/rules';
import { createWebhookEndpoint } from '@stratum/shared/webhooks';
import { DEMO_TENANT_ID, OTHER_TENANT_ID } from './tenants.js';

export interface DemonstrationOptions {
  /** Where the sandbox shows competitors' sites and a WordPress. */
  sandboxUrl: string;
  /** The sandbox's credentials for WhatsApp and WordPress. */
  whatsappToken: string;
  wordpress: { name: string; applicationPassword: string };
  now: Date;
}

const PROFILES = 400;

/** Returns whether it was made by this call. Only tenants that are marked get any. Run as the owner of the database. */
export async function seedDemonstration(
  pool: Pool,
  keys: KeyRing,
  options: DemonstrationOptions,
): Promise<boolean> {
  let made = false;
  for (const tenantId of [DEMO_TENANT_ID, OTHER_TENANT_ID]) {
    await withTenant(pool, tenantId, async (client) => {
      const { rowCount } = await client.query(
        `UPDATE tenant SET settings = settings || '{"demonstration": true}' WHERE id = $1 AND is_demonstration AND NOT settings ? 'demonstration'`,
        [tenantId],
      );
      if (rowCount === 0) return;
      made = true;
      await addCampaignData(client, tenantId, options.now);
      await addRules(client, tenantId);
      await addCompetitors(client, tenantId, options.sandboxUrl);
      await addCustomers(client, tenantId, keys, options.now);
      await addMessages(client, tenantId, keys, options);
      await addPosts(client, tenantId, keys, options);
      await addWebhooks(client, tenantId, keys);
    });
  }
  return made;
}

/** Labels and shared costs. */
async function addCampaignData(client: PoolClient, tenantId: number, now: Date): Promise<void> {
  await client.query(
    `UPDATE campaign SET labels = ARRAY[CASE WHEN id % 2 = 0 THEN 'cost-centre:brand' ELSE 'cost-centre:performance' END, CASE WHEN id % 3 = 0 THEN 'seasonal' ELSE 'always-on' END]
     WHERE tenant_id = $1 AND labels = '{}'`,
    [tenantId],
  );
  await client.query(
    `INSERT INTO shared_cost (tenant_id, name, month, currency, amount, spread_by)
     SELECT id, cost.name, date_trunc('month', $2::timestamptz)::date, currency, amount, spread_by
     FROM tenant, (VALUES ('Agency fee', 1500, 'spend'), ('Tools', 240, 'equally')) AS cost (name, amount, spread_by) WHERE id = $1`,
    [tenantId, now],
  );
}

const RULES: readonly { name: string; priority: number; definition: RuleDefinitionInput }[] = [
  {
    name: 'Pause what loses money',
    priority: 10,
    definition: {
      when: {
        logic: 'and',
        conditions: [
          { metric: 'roas', window: 'last_7_days', operator: 'lt', value: 0.5, min_impressions: 5_000 },
        ],
      },
      actions: [{ kind: 'pause' }, { kind: 'send_alert', severity: 'warning' }],
    },
  },
  {
    name: 'More for what pays back',
    priority: 5,
    definition: {
      when: {
        logic: 'and',
        conditions: [
          { metric: 'roas', window: 'last_7_days', operator: 'gte', value: 3, min_impressions: 5_000 },
        ],
      },
      actions: [{ kind: 'adjust_budget', percent: 10, ceiling: 1_000 }],
      cooldown_hours: 48,
    },
  },
  {
    name: 'Label what is expensive',
    priority: 0,
    definition: {
      when: {
        logic: 'and',
        conditions: [{ metric: 'cpa', window: 'last_14_days', operator: 'gt', value: 40 }],
      },
      actions: [{ kind: 'add_label', label: 'expensive' }],
    },
  },
  {
    name: 'Watch for sudden spend',
    priority: 0,
    definition: {
      when: {
        logic: 'and',
        conditions: [
          { metric: 'spend', window: 'yesterday', compare: 'change_pct', operator: 'gt', value: 50 },
        ],
      },
      actions: [{ kind: 'send_alert' }],
      dry_run: true,
    },
  },
];

async function addRules(client: PoolClient, tenantId: number): Promise<void> {
  for (const { name, priority, definition } of RULES) {
    await client.query(
      `INSERT INTO rule (tenant_id, name, status, priority, definition) VALUES ($1, $2, 'active', $3, $4)`,
      [tenantId, name, priority, JSON.stringify(ruleDefinitionSchema.parse(definition))],
    );
  }
}

async function addCompetitors(client: PoolClient, tenantId: number, sandboxUrl: string): Promise<void> {
  for (const [index, name] of ['Fjell & Co', 'Summit Supply', 'Coast Walkers'].entries()) {
    const slug = name.toLowerCase().replaceAll(/[^a-z]+/g, '-');
    await client.query(`INSERT INTO competitor (tenant_id, name, website, page_id) VALUES ($1, $2, $3, $4)`, [
      tenantId,
      name,
      `${sandboxUrl}/sites/${slug}/`,
      String(tenantId * 1_000 + index),
    ]);
  }
}

/** Visitors who look, add and buy within a month; each step is left by some. */
async function addCustomers(client: PoolClient, tenantId: number, keys: KeyRing, now: Date): Promise<void> {
  for (const month of [-1, 0]) {
    await client.query(
      `SELECT ensure_event_partition((date_trunc('month', $1::timestamptz) + $2::int * interval '1 month')::date)`,
      [now, month],
    );
  }
  await client.query(
    `INSERT INTO cdp_profile (tenant_id, external_id, lifecycle_stage, traits, total_events, total_purchases, total_revenue, first_seen_at, last_seen_at, last_purchase_at)
     SELECT $1::bigint, 'customer-' || n, CASE WHEN n % 3 = 0 THEN 'customer' ELSE 'lead' END,
       jsonb_build_object('plan', (ARRAY['free', 'club', 'club-plus'])[1 + n / 3 % 3], 'country', (ARRAY['US', 'DE', 'CH', 'NO'])[1 + n % 4]),
       2 + n % 3, CASE WHEN n % 3 = 0 THEN 1 + n % 4 ELSE 0 END, CASE WHEN n % 3 = 0 THEN 40 + n * 37 % 300 ELSE 0 END,
       $2::timestamptz - interval '28 days', $2::timestamptz - n % 20 * interval '1 day',
       CASE WHEN n % 3 = 0 THEN $2::timestamptz - n % 20 * interval '1 day' END
     FROM generate_series(1, $3::int) n`,
    [tenantId, now, PROFILES],
  );
  await client.query(
    `INSERT INTO cdp_event (tenant_id, message_id, profile_id, name, properties, occurred_at, received_at)
     SELECT p.tenant_id, p.external_id || '-' || step, p.id, (ARRAY['Product Viewed', 'Product Added', 'Order Completed'])[step],
       jsonb_build_object('device', (ARRAY['mobile', 'desktop'])[1 + p.id::int % 2], 'value', 20 + p.id::int * 13 % 180),
       at, at
     FROM cdp_profile p CROSS JOIN generate_series(1, 3) step CROSS JOIN LATERAL (SELECT p.last_seen_at - interval '1 hour' + step * interval '10 minutes' AS at) moment
     WHERE p.tenant_id = $1 AND (step = 1 OR (step = 2 AND split_part(p.external_id, '-', 2)::int % 3 <> 1) OR (step = 3 AND p.total_purchases > 0))`,
    [tenantId],
  );
  const { rows: known } = await client.query<{ id: string; external_id: string }>(
    'SELECT id, external_id FROM cdp_profile WHERE tenant_id = $1 AND id % 2 = 0',
    [tenantId],
  );
  const hashes = known.map(({ external_id: user }) =>
    lookupHash(keys, tenantId, plainHash(`${user}@example.com`)),
  );
  await client.query(
    `INSERT INTO cdp_identity (tenant_id, type, value_hash, profile_id, hash_key_id)
     SELECT $1, 'email', decode(hash, 'hex'), id, key_id FROM unnest($2::text[], $3::bigint[], $4::text[]) AS n (hash, id, key_id)`,
    [tenantId, hashes.map(({ hash }) => hash), known.map(({ id }) => id), hashes.map(({ keyId }) => keyId)],
  );
  const buyers = await saveSegment(client, {
    name: 'Buyers of the last two weeks',
    definition: {
      logic: 'and',
      conditions: [
        { field: 'event.Order Completed.exists', operator: 'equals', value: true, within_days: 14 },
      ],
    },
  });
  await saveSegment(client, {
    name: 'Best buyers with a club plan',
    definition: {
      logic: 'and',
      conditions: [
        { field: `segment.${buyers}`, operator: 'equals', value: true },
        { field: 'trait.plan', operator: 'starts_with', value: 'club' },
        { field: 'rfm.monetary', operator: 'gte', value: 4 },
      ],
    },
  });
  await saveSegment(client, {
    name: 'Left the basket',
    definition: {
      logic: 'and',
      conditions: [{ field: 'event.Product Added.count', operator: 'gte', value: 1 }],
      groups: [
        {
          logic: 'not',
          conditions: [{ field: 'event.Order Completed.exists', operator: 'equals', value: true }],
        },
      ],
    },
  });
  const funnel = funnelSchema.parse({
    steps: [{ event: 'Product Viewed' }, { event: 'Product Added' }, { event: 'Order Completed' }],
    window_seconds: 86_400,
    breakdown: 'device',
  });
  await client.query(
    `INSERT INTO cdp_funnel (tenant_id, name, definition) VALUES ($1, 'From look to order', $2)`,
    [tenantId, JSON.stringify(funnel)],
  );
}

async function addMessages(
  client: PoolClient,
  tenantId: number,
  keys: KeyRing,
  { whatsappToken, now }: DemonstrationOptions,
): Promise<void> {
  const phoneNumberId = String(10_000 + tenantId);
  const account = sealCredentials(
    keys,
    { tenantId, platform: 'whatsapp', externalId: phoneNumberId },
    { access_token: whatsappToken },
  );
  const { rows } = await client.query<{ id: string }>(
    `INSERT INTO whatsapp_account (tenant_id, phone_number_id, secret, secret_key_id) VALUES ($1, $2, $3, $4) RETURNING id`,
    [tenantId, phoneNumberId, account.ciphertext, account.keyId],
  );
  const templates = await client.query<{ id: string }>(
    `INSERT INTO whatsapp_template (tenant_id, name, language, status, parameters) VALUES ($1, 'winter_sale', 'en', 'approved', 1) RETURNING id`,
    [tenantId],
  );
  // The last one has opted out; the one before cannot be reached.
  for (const [index, ending] of ['1001', '1002', '1003', '0026', '1005'].entries()) {
    const phone = `49151${tenantId}00${ending}`;
    const row = contactRow(keys, tenantId, phone);
    const contacts = await client.query<{ id: string }>(
      `INSERT INTO whatsapp_contact (tenant_id, phone_hash, phone, phone_key_id, opted_in_at, opted_out_at, hash_key_id) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id`,
      [
        tenantId,
        row.phone_hash,
        row.phone,
        row.phone_key_id,
        now,
        ending === '1005' ? now : null,
        row.hash_key_id,
      ],
    );
    await client.query(
      `INSERT INTO whatsapp_message (tenant_id, account_id, contact_id, template_id, parameters, scheduled_at)
       VALUES ($1, $2, $3, $4, '{20 %}', $5::timestamptz + $6::int * interval '1 minute')`,
      [tenantId, rows[0]?.id, contacts.rows[0]?.id, templates.rows[0]?.id, now, index],
    );
  }
}

async function addPosts(
  client: PoolClient,
  tenantId: number,
  keys: KeyRing,
  { sandboxUrl, wordpress, now }: DemonstrationOptions,
): Promise<void> {
  const baseUrl = `${sandboxUrl}/wordpress`;
  const sealed = sealCredentials(
    keys,
    { tenantId, platform: 'wordpress', externalId: baseUrl },
    { application_password: wordpress.applicationPassword },
  );
  const { rows } = await client.query<{ id: string }>(
    `INSERT INTO cms_site (tenant_id, base_url, user_name, secret, secret_key_id) VALUES ($1, $2, $3, $4, $5) RETURNING id`,
    [tenantId, baseUrl, wordpress.name, sealed.ciphertext, sealed.keyId],
  );
  for (const [index, title] of [
    'Winter starts here',
    'How we make our boots',
    'Ten walks for the holidays',
  ].entries()) {
    await client.query(
      `INSERT INTO cms_post (tenant_id, site_id, slug, title, content, status, publish_at)
       VALUES ($1, $2, $3, $4, $5, 'scheduled', $6::timestamptz + $7::int * interval '2 minutes')`,
      [
        tenantId,
        rows[0]?.id,
        `${title.toLowerCase().replaceAll(' ', '-')}-${tenantId}`,
        title,
        `<p>${title}.</p>`,
        now,
        index,
      ],
    );
  }
}

const WEBHOOKS = [
  { source: 'meta', name: 'Changes of campaigns', isVerified: true },
  { source: 'whatsapp', name: 'Messages', isVerified: true },
  { source: 'shopify', name: 'Orders of the shop' },
  { source: 'stripe', name: 'Payments' },
  {
    source: 'github',
    name: 'Releases of the site',
    settings: { tasks: [{ on: 'release', task: 'evaluate_rules' }] },
  },
] as const;

const SECRET_BYTES = 24;
const newSecret = (): string => randomBytes(SECRET_BYTES).toString('hex');

/** Secrets are made anew for each database: whoever has read this file knows none of them. */
async function addWebhooks(client: PoolClient, tenantId: number, keys: KeyRing): Promise<void> {
  for (const { source, name, ...rest } of WEBHOOKS)
    await createWebhookEndpoint(client, keys, {
      tenantId,
      source,
      name,
      secret: newSecret(),
      ...('settings' in rest ? { settings: rest.settings } : {}),
      ...('isVerified' in rest ? { settings: { verify_token: newSecret() } } : {}),
    });
}
