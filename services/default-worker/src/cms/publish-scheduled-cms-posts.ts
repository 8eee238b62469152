/** `publish_scheduled_cms_posts`: one task for each post that is to appear or to disappear. */
import type { HandlerFor } from '@stratum/jobs';
import { publishCmsPost, tickTime, type publishScheduledCmsPosts } from '@stratum/shared';
import type { Pool } from 'pg';

const BATCH = 1_000;

export function publishScheduledCmsPostsHandler({
  pool,
}: {
  pool: Pool;
}): HandlerFor<typeof publishScheduledCmsPosts> {
  return async (_payload, context) => {
    const at = tickTime(context);
    const { rows } = await pool.query<{
      tenant_id: string;
      post_id: string;
      action: 'publish' | 'unpublish';
    }>('SELECT * FROM due_posts($1, $2)', [at, BATCH]);
    const items = rows.map(({ tenant_id: tenantId, post_id: postId, action }) => ({
      payload: { tenant_id: Number(tenantId), post_id: Number(postId), action },
      options: { id: `cms-${postId}-${action}-${at.getTime()}` },
    }));
    const enqueued = await context.enqueueMany(publishCmsPost, items);
    return { enqueued: enqueued.filter(({ duplicate }) => !duplicate).length };
  };
}
