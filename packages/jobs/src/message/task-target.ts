import type { z } from 'zod';
import { parsePayload, type TaskContract } from '../task/define-task.js';
import type { Topology } from '../topology/define.js';
import type { TaskTarget } from './compose-task.js';

/**
 * Where a contract's task goes. Checks the payload.
 * @throws InvalidPayloadError; JobsError `invalid_options` for a queue that the topology does not have
 */
export function taskTarget<Input extends z.ZodType>(
  topology: Topology,
  contract: TaskContract<Input>,
  payload: z.input<Input>,
): TaskTarget {
  const parsed = parsePayload(contract, payload);
  return {
    queue: topology.queue(contract.queue).name,
    task: contract.name,
    priority: contract.priority,
    tenant: contract.tenantOf(parsed),
  };
}
