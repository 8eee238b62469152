/** The one way from a door (HTTP, NATS) to a task: within the tenant's quotas, reported to the audit trail, then enqueued. */
import type { Enqueued, EnqueueOptions, TaskContract } from '@stratum/jobs';
import type { Actor } from '@stratum/shared/http';
import { auditAs } from '../http/audit.js';
import { dueAt } from '../quotas/task-quota.js';
import type { ApiResources } from '../http/types.js';

export interface AskedTask {
  contract: TaskContract;
  payload: unknown;
  /** `undefined`: the platform's own. */
  tenantId: number | undefined;
  options: EnqueueOptions;
}

/** @throws QuotaExceededError; ProblemError `unavailable` where it cannot be reported; otherwise as `client.enqueue` */
export async function enqueueReported(
  resources: Pick<ApiResources, 'connection' | 'configuration' | 'client' | 'taskQuota'>,
  actor: Actor,
  { contract, payload, tenantId, options }: AskedTask,
): Promise<Enqueued> {
  const { id } = options;
  return resources.taskQuota.within({ tenantId, due: dueAt(options) }, async () => {
    await auditAs(resources, actor, {
      action: 'task.enqueued',
      subject: `task/${contract.name}`,
      tenantId,
      details: id === undefined ? {} : { id },
    });
    return resources.client.enqueue(contract, payload, options);
  });
}
