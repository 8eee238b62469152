/** The state of a whole workflow: one key, changed by compare-and-set. */
import type { TaskErrorRecord, TaskRecord } from '../wire/record.js';
import type { StoredValue } from '../broker/key-value.js';
import { readJson } from '../values/read-json.js';
import { workflowKeys, type WorkflowBucket } from './bucket.js';
import { stepId, type TaskNode } from './plan.js';
import type { Manifest } from './runs.js';
import { workflowSummarySchema, type WorkflowSummary } from './view.js';

export class WorkflowStates {
  constructor(private readonly bucket: WorkflowBucket) {}

  async read(id: string): Promise<WorkflowSummary | undefined> {
    const stored = await this.bucket.get(workflowKeys.state(id));
    return stored && readSummary(stored);
  }

  async begin(manifest: Manifest): Promise<void> {
    const { id } = manifest;
    await this.bucket.create(workflowKeys.state(id), JSON.stringify(beginning(manifest)));
  }

  /** An invalid definition, whose publisher learns of it only in this way. */
  async refuse(manifest: Manifest, error: TaskErrorRecord): Promise<void> {
    const state = ended({ ...beginning(manifest), state: 'FAILURE', error });
    await this.bucket.create(workflowKeys.state(manifest.id), JSON.stringify(state));
  }

  /** All steps have succeeded. */
  async succeed(id: string): Promise<void> {
    await this.change(id, (state) =>
      state.state === 'SUCCESS' || state.state === 'REVOKED'
        ? undefined
        : ended({ ...state, state: 'SUCCESS', error: null, failed: null }),
    );
    await this.bucket.remove(workflowKeys.active(id));
  }

  /** A step has failed permanently. The first one is named. */
  async fail(id: string, node: TaskNode, record: TaskRecord): Promise<void> {
    const failed = {
      path: node.path,
      node: node.number,
      task: node.step.task,
      task_id: stepId(id, node.number),
      state: record.state,
    };
    const error = record.error === null ? endedAs(record) : { ...record.error, stack: null };
    await this.change(id, (state) =>
      state.state === 'STARTED' ? ended({ ...state, state: 'FAILURE', error, failed }) : undefined,
    );
  }

  /** A failed step runs again, or has succeeded after all. `true` if the workflow continues. */
  async reopen(id: string): Promise<boolean> {
    const state = await this.read(id);
    if (state?.state !== 'FAILURE') return false;
    await this.bucket.put(workflowKeys.active(id), '{}');
    const changed = await this.change(id, (current) =>
      current.state === 'FAILURE'
        ? { ...current, state: 'STARTED', error: null, failed: null, finished_at: null, runtime_ms: null }
        : undefined,
    );
    return changed?.state === 'STARTED';
  }

  /** `false` if it had ended. A failed one can be cancelled, so that no replay resumes it. */
  async cancel(id: string): Promise<boolean> {
    let wasOpen = false;
    await this.change(id, (state) => {
      wasOpen = state.state === 'STARTED' || state.state === 'FAILURE';
      return wasOpen ? ended({ ...state, state: 'REVOKED' }) : undefined;
    });
    return wasOpen;
  }

  /** Returns the stored state afterwards. */
  private async change(
    id: string,
    next: (state: WorkflowSummary) => WorkflowSummary | undefined,
  ): Promise<WorkflowSummary | undefined> {
    let state: WorkflowSummary | undefined;
    const change = (stored: StoredValue | undefined): string | undefined => {
      state = stored && readSummary(stored);
      const changed = state && next(state);
      if (changed === undefined) return undefined;
      state = changed;
      return JSON.stringify(changed);
    };
    // A state that is equal has the same effect, whoever wrote it.
    await this.bucket.change(workflowKeys.state(id), change, { isUnique: true });
    return state;
  }
}

/** `undefined` also for a state that nobody can read, so that one bad workflow fails no list. */
function readSummary({ message }: StoredValue): WorkflowSummary | undefined {
  return workflowSummarySchema.safeParse(readJson(message)).data;
}

function beginning({ id, owner, started_at }: Manifest): WorkflowSummary {
  return {
    id,
    tenant: owner,
    state: 'STARTED',
    error: null,
    failed: null,
    started_at,
    finished_at: null,
    runtime_ms: null,
  };
}

function ended(state: WorkflowSummary): WorkflowSummary {
  const now = new Date();
  const runtime = now.getTime() - Date.parse(state.started_at);
  return { ...state, finished_at: now.toISOString(), runtime_ms: Math.max(0, runtime) };
}

/** Expired and revoked tasks have no error of their own. */
function endedAs({ task, state }: TaskRecord): TaskErrorRecord {
  const type = state === 'EXPIRED' ? 'TaskExpired' : 'TaskRevoked';
  const message = `The task "${task}" ${state === 'EXPIRED' ? 'expired before it started' : 'was revoked'}.`;
  return { type, message, stack: null, retryable: false };
}
