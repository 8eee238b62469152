/**
 * Cancels a workflow. It sets the state first, so that no step follows. Then it writes a revocation, which reaches running steps and
 * steps that are being enqueued. Then it removes waiting steps.
 */
import { headers as newHeaders } from '@nats-io/nats-core';
import type { Revoker } from './revoke.js';
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import { controlKeys } from '../control/entries.js';
import { ServerHeader } from '../wire/headers.js';
import type { TaskIdentity } from '../wire/identity.js';
import type { Names } from '../wire/names.js';
import { WorkflowBucket, workflowKeys } from '../workflow/bucket.js';
import type { WorkflowEngine } from '../workflow/engine.js';
import { identityOf, startsWith } from '../workflow/plan.js';
import type { Run } from '../workflow/runs.js';

/** `cancelled`: waiting steps are removed, running ones are signalled, none follow. `ended`: too late. `unknown`: no such workflow. */
export type CancelResult = 'cancelled' | 'ended' | 'unknown';

/** After that nothing of it is in any queue, or has to be told. */
const NOTE_SECONDS = 7 * 86_400;

export async function cancelWorkflow(
  parts: { engine: WorkflowEngine; revoker: Revoker; publisher: AckMultiplexer; names: Names },
  id: string,
  { terminate = false }: { terminate?: boolean } = {},
): Promise<CancelResult> {
  const { engine, revoker, publisher, names } = parts;
  if ((await engine.states.read(id)) === undefined) return 'unknown';
  if (!(await engine.states.cancel(id))) return 'ended';
  const headers = newHeaders();
  headers.set(ServerHeader.Ttl, `${NOTE_SECONDS}s`);
  const note = JSON.stringify({ workflow: id, terminate });
  await publisher.publish(names.controlKey(controlKeys.revokeWorkflow(id)), note, { headers });
  const run = await engine.runs.load(id);
  if (run !== undefined) await revoker.removeWaitingTasks(await enqueuedSteps(engine, run));
  await engine.bucket.remove(workflowKeys.active(id));
  return 'cancelled';
}

/** Enqueued steps that have not ended, as far as is known. */
async function enqueuedSteps(engine: WorkflowEngine, run: Run): Promise<TaskIdentity[]> {
  const ends = await engine.ends.readAll(run.id, run.sequence);
  const found: TaskIdentity[] = [];
  for await (const { subject } of engine.bucket.scan(workflowKeys.entry(run.id, '*'), run.sequence)) {
    const node = run.plan.nodes[WorkflowBucket.nodeOf(subject)];
    if (node === undefined) continue;
    for (const step of startsWith(node).steps)
      if (!ends.has(step.number)) found.push(identityOf(run.id, step));
  }
  return found;
}
