/** Sites and their posts, which `publish_scheduled_cms_posts` publishes. */
import { z } from 'zod';
import { sealCredentials } from '../credentials/credentials.js';
import { given, instant, recordId, secretText, shortText, shownTime, webAddress } from './fields.js';
import type { RecordKind } from './record.js';

const MAX_CONTENT = 500_000;
const MAX_EXCERPT = 10_000;
const MAX_SLUG = 200;
const scopes = { read: 'posts:read', write: 'posts:admin' } as const;

export const cmsSites: RecordKind = {
  noun: 'site',
  plural: 'sites',
  path: 'cms/sites',
  scopes,
  table: 'cms_site',
  columns: { id: 'id', kind: 'kind', base_url: 'base_url', user_name: 'user_name' },
  view: z
    .object({ id: recordId, kind: z.literal('wordpress'), base_url: z.string(), user_name: z.string() })
    .meta({ id: 'CmsSite' }),
  create: z.strictObject({
    base_url: webAddress.describe('Address of the WordPress, without /wp-json.'),
    user_name: shortText,
    application_password: secretText,
  }),
  change: z.strictObject({ user_name: shortText, application_password: secretText }).partial(),
  toRow: (fields, { keys, tenantId, before }) => {
    const row = given(fields, ['base_url', 'user_name']);
    const { application_password: password } = fields;
    if (password === undefined) return row;
    const externalId = String(before?.['base_url'] ?? fields['base_url']);
    const sealed = sealCredentials(
      keys,
      { tenantId, platform: 'wordpress', externalId },
      { application_password: password },
    );
    return { ...row, secret: sealed.ciphertext, secret_key_id: sealed.keyId };
  },
};

/** The worker sets the others. */
const status = z
  .enum(['draft', 'in_review', 'approved', 'scheduled', 'archived', 'rejected'])
  .describe('`scheduled` posts are published at `publish_at`.');
const postInput = {
  site_id: recordId.nullable().describe('`null`: it is published here alone.'),
  slug: z
    .string()
    .max(MAX_SLUG)
    .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'must be lower-case words with hyphens between them'),
  title: shortText,
  content: z.string().max(MAX_CONTENT),
  excerpt: z.string().max(MAX_EXCERPT),
  status,
  publish_at: instant.nullable(),
  unpublish_at: instant.nullable(),
};
const POST = Object.keys(postInput);

export const cmsPosts: RecordKind = {
  noun: 'post',
  plural: 'posts',
  path: 'cms/posts',
  scopes,
  table: 'cms_post',
  columns: {
    id: 'id',
    ...Object.fromEntries(POST.map((name) => [name, name])),
    published_at: 'published_at',
    version: 'version',
    remote_url: 'remote_url',
    error: 'error',
  },
  view: z
    .object({
      id: recordId,
      site_id: recordId.nullable(),
      slug: z.string(),
      title: z.string(),
      content: z.string(),
      excerpt: z.string(),
      status: z.string(),
      publish_at: shownTime,
      unpublish_at: shownTime,
      published_at: shownTime,
      version: z.int(),
      remote_url: z.string().nullable(),
      error: z.string().nullable(),
    })
    .meta({ id: 'CmsPost' }),
  create: z.strictObject({
    ...z.strictObject(postInput).partial().shape,
    slug: postInput.slug,
    title: postInput.title,
    content: postInput.content,
  }),
  change: z.strictObject(postInput).partial(),
  toRow: (fields) => given(fields, POST),
  check: (post) =>
    post['status'] === 'scheduled' && typeof post['publish_at'] !== 'string'
      ? { field: 'publish_at', message: 'is needed for a scheduled post' }
      : undefined,
  changeable: {
    when: `claimed_at IS NULL OR claimed_at < now() - interval '10 minutes'`,
    reason: 'is being published at this moment. Try again in a minute',
  },
};
