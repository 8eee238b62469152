/** `publish_cms_post`: claim the post by its state → publish it to the site → store version, address and state. */
import { createHash, randomUUID } from 'node:crypto';
import { TaskError, WorkerShutdownError, type HandlerFor } from '@stratum/jobs';
import { closeAlert, openCredentials, publishCmsPost, withTenant, type KeyRing } from '@stratum/shared';
import type { SafeFetch } from '@stratum/connectors/safe-fetch';
import type { Pool } from 'pg';
import { z } from 'zod';
import { alertKey, putOff } from './put-off.js';
import { WordPress, WordPressError, type RemotePost } from '@stratum/connectors/wordpress';

interface PostRow {
  slug: string;
  title: string;
  content: string;
  excerpt: string;
  status: string;
  remote_id: string | null;
  remote_url: string | null;
  site_id: string | null;
  base_url: string | null;
  user_name: string | null;
  secret: Buffer | null;
  secret_key_id: string | null;
}

type Action = 'publish' | 'unpublish';
const FROM: Readonly<Record<Action, string>> = { publish: 'scheduled', unpublish: 'published' };
const MAX_RETRIES = publishCmsPost.retry.maxRetries ?? 0;
const secretSchema = z.object({ application_password: z.string() });

export function publishCmsPostHandler({
  pool,
  keys,
  site,
}: {
  pool: Pool;
  keys: KeyRing;
  site: SafeFetch;
}): HandlerFor<typeof publishCmsPost> {
  return async ({ tenant_id: tenantId, post_id: postId, action }, context) => {
    const claim = randomUUID();
    // A worker that was lost, or an attempt that failed, has left its claim.
    const takeOver = context.deliveries > 1 || context.retries > 0;
    const post = await claimPost(pool, { tenantId, postId, action, claim, takeOver });
    if ('done' in post)
      return {
        post_id: postId,
        status: post.done.status,
        slug: post.done.slug,
        url: post.done.remote_url,
        error: null,
      };
    const remoteId = post.remote_id === null ? null : Number(post.remote_id);
    let remote: RemotePost | undefined;
    try {
      const wordpress = connect(post, tenantId, keys, site, context.signal);
      if (wordpress !== undefined && action === 'publish')
        remote = await wordpress.publish(
          { ...post, mark: markOf(tenantId, postId, post.base_url) },
          remoteId,
        );
      if (wordpress !== undefined && action === 'unpublish' && remoteId !== null)
        await wordpress.unpublish(remoteId);
    } catch (error) {
      // It is the worker that stops: nothing is said about the site.
      if (context.signal.reason instanceof WorkerShutdownError) throw error;
      const reason = error instanceof Error ? error.message : 'unknown';
      const failure = { tenantId, postId, action, claim, title: post.title, reason };
      // Soon again, as the contract says; then not so soon.
      if (isPassing(error) && context.retries < MAX_RETRIES) {
        await withTenant(pool, tenantId, (client) =>
          client.query('UPDATE cms_post SET error = $3 WHERE id = $1 AND claim = $2', [
            postId,
            claim,
            reason,
          ]),
        );
        throw error;
      }
      await withTenant(pool, tenantId, (client) => putOff(client, failure));
      return { post_id: postId, status: post.status, slug: post.slug, url: post.remote_url, error: reason };
    }
    return finish(pool, { tenantId, postId, action, claim, post, remote });
  };
}

/** The same for every try of one post, and nothing that a visitor of the site could read out of it. */
function markOf(tenantId: number, postId: number, site: string | null): string {
  const digest = createHash('sha256').update(`${site} ${tenantId} ${postId}`).digest('hex');
  return `stratum-${digest.slice(0, MARK_DIGITS)}`;
}

const MARK_DIGITS = 32;

/** The site might say something else in a moment. */
function isPassing(error: unknown): boolean {
  return !(error instanceof WordPressError && !error.retryable);
}

async function claimPost(
  pool: Pool,
  {
    tenantId,
    postId,
    action,
    claim,
    takeOver,
  }: { tenantId: number; postId: number; action: Action; claim: string; takeOver: boolean },
): Promise<PostRow | { done: PostRow }> {
  return withTenant(pool, tenantId, async (client) => {
    const { rows } = await client.query<PostRow>(
      `SELECT p.slug, p.title, p.content, p.excerpt, p.status, p.remote_id, p.remote_url, p.site_id, s.base_url, s.user_name, s.secret, s.secret_key_id
       FROM cms_post p LEFT JOIN cms_site s ON s.tenant_id = p.tenant_id AND s.id = p.site_id WHERE p.id = $1 FOR UPDATE OF p`,
      [postId],
    );
    const [post] = rows;
    if (post === undefined) throw new TaskError(`There is no post ${postId}.`, { retryable: false });
    const { rowCount } = await client.query(
      `UPDATE cms_post SET claim = $2, claimed_at = now(), error = NULL
       WHERE id = $1 AND status = $3 AND EXISTS (SELECT FROM tenant WHERE id = current_tenant() AND is_open(tenant)) AND (claim IS NULL OR $4 OR claimed_at < now() - interval '10 minutes')`,
      [postId, claim, FROM[action], takeOver],
    );
    return rowCount === 1 ? post : { done: post };
  });
}

function connect(
  post: PostRow,
  tenantId: number,
  keys: KeyRing,
  fetcher: SafeFetch,
  signal: AbortSignal,
): WordPress | undefined {
  const { base_url: baseUrl, user_name: userName, secret, secret_key_id: keyId, site_id: siteId } = post;
  if (baseUrl === null || userName === null || secret === null || keyId === null || siteId === null)
    return undefined;
  const owner = { tenantId, platform: 'wordpress', externalId: baseUrl };
  const { application_password: applicationPassword } = secretSchema.parse(
    openCredentials(keys, owner, { keyId, ciphertext: secret }),
  );
  return new WordPress({ baseUrl, userName, applicationPassword }, fetcher, signal);
}

async function finish(
  pool: Pool,
  job: {
    tenantId: number;
    postId: number;
    action: Action;
    claim: string;
    post: PostRow;
    remote: RemotePost | undefined;
  },
): Promise<z.output<typeof publishCmsPost.output>> {
  const { tenantId, postId, action, claim, post, remote } = job;
  const slug = remote?.slug ?? post.slug;
  const url = remote?.url ?? post.remote_url;
  const status = action === 'publish' ? 'published' : 'unpublished';
  await withTenant(pool, tenantId, async (client) => {
    // The site chooses the slug, and may choose one that another post of ours waits with: then ours keeps the one it had.
    const { rows } = await client.query<{ version: number; published_at: Date }>(
      `UPDATE cms_post p SET status = $3, remote_id = coalesce($5, remote_id), remote_url = $6, claim = NULL, claimed_at = NULL,
         slug = CASE WHEN EXISTS (SELECT FROM cms_post o WHERE o.site_id = p.site_id AND o.slug = $4 AND o.id <> p.id) THEN slug ELSE $4 END,
         published_at = CASE WHEN $7 THEN now() ELSE published_at END, version = version + CASE WHEN $7 THEN 1 ELSE 0 END
       WHERE id = $1 AND claim = $2 RETURNING version, published_at`,
      [postId, claim, status, slug, remote?.id ?? null, url, action === 'publish'],
    );
    const [written] = rows;
    if (written === undefined) return;
    await closeAlert(client, alertKey(postId), status, new Date());
    if (action === 'unpublish') return;
    await client.query(
      `INSERT INTO cms_post_version (tenant_id, post_id, version, slug, title, content, excerpt, published_at)
       VALUES (current_tenant(), $1, $2, $3, $4, $5, $6, $7)`,
      [postId, written.version, slug, post.title, post.content, post.excerpt, written.published_at],
    );
  });
  return { post_id: postId, status, slug, url, error: null };
}
