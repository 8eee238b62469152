/** What a viewer may know of a snapshot. */
import { may } from '../access/rights.js';
import type { Viewer } from '../access/sessions.js';
import type { Snapshot } from './snapshots.js';

/** Tenants learn that the history has grown, and nothing of what all tenants share. */
export function visibleTo(viewer: Viewer, snapshot: Snapshot): object {
  if (!may(viewer, 'overview:see'))
    return { at: snapshot.at, history: { sequence: snapshot.history.sequence } };
  if (may(viewer, 'workers:see')) return snapshot;
  const problems = snapshot.problems.filter(({ code }) => !code.startsWith('worker_'));
  return { ...snapshot, problems, workers: [], schedulers: [] };
}
