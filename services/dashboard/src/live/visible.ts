/** What a viewer may know of a snapshot. */
import { z } from 'zod';
import { may } from '../access/rights.js';
import type { Viewer } from '../access/sessions.js';
import { snapshotSchema, type Snapshot } from './snapshots.js';

const growth = z
  .object({ at: snapshotSchema.shape.at, history: snapshotSchema.shape.history.pick({ sequence: true }) })
  .meta({ id: 'Growth' });

/** An event of the live stream, read from its lines. */
export const liveEvent = z
  .object({
    event: z.literal('snapshot'),
    data: z
      .union([snapshotSchema, growth])
      .describe(
        'JSON: the whole for viewers of the platform, and `Growth` for whoever may not see the overview.',
      ),
  })
  .meta({
    id: 'LiveEvent',
    description:
      'The stream has such events one after another, four a second at most: the first at once, and then one whenever something has changed. Nothing queues up for a slow reader, who gets the newest state. Lines that begin with `:` keep the connection open.',
  });

/** As a viewer of the overview sees it. */
export function overviewFor(viewer: Viewer, whole: Snapshot): Snapshot {
  if (may(viewer, 'workers:see')) return whole;
  const problems = whole.problems.filter(({ code }) => !code.startsWith('worker_'));
  return { ...whole, problems, workers: [], schedulers: [] };
}

/** Tenants learn that the history has grown, and nothing of what all tenants share. */
export function visibleTo(viewer: Viewer, whole: Snapshot): z.output<typeof liveEvent>['data'] {
  if (may(viewer, 'overview:see')) return overviewFor(viewer, whole);
  return { at: whole.at, history: { sequence: whole.history.sequence } };
}
