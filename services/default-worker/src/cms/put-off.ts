/** A post that its site does not take waits, longer each time, until the site takes it or somebody changes the post or the site. */
import { openAlert } from '@stratum/shared';
import type { PoolClient } from 'pg';

const MINUTE_MS = 60_000;
const FIRST_PAUSE_MS = 10 * MINUTE_MS;
const LONGEST_PAUSE_MS = 24 * 60 * MINUTE_MS;

/** Until the next try, in milliseconds. @param failures in a row, this one included */
function pauseAfter(failures: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
}

export function alertKey(postId: number): string {
  return `cms/${postId}`;
}

/** Told once, however often it is tried. Inside the caller's transaction, as the tenant. Nothing happens when somebody else has the post by now. */
export async function putOff(
  client: PoolClient,
  failure: {
    tenantId: number;
    postId: number;
    action: 'publish' | 'unpublish';
    claim: string;
    title: string;
    reason: string;
  },
): Promise<void> {
  const { tenantId, postId, action, claim, title, reason } = failure;
  const { rows } = await client.query<{ failures: number }>(
    'UPDATE cms_post SET error = $3, failures = failures + 1 WHERE id = $1 AND claim = $2 RETURNING failures',
    [postId, claim, reason],
  );
  const [post] = rows;
  if (post === undefined) return;
  await client.query(
    `UPDATE cms_post SET claim = NULL, claimed_at = NULL, next_attempt_at = now() + $2 * interval '1 millisecond' WHERE id = $1`,
    [postId, pauseAfter(post.failures)],
  );
  await openAlert(client, {
    tenantId,
    key: alertKey(postId),
    kind: 'cms_post_failed',
    severity: 'warning',
    title: `The site does not ${action} “${title}”`,
    message: `${reason.replace(/\.?$/, '.')} It is retried after ten minutes, then after growing pauses of at most a day, and at once when the post or its site changes.`,
    details: { post_id: postId },
    at: new Date(),
  });
}
