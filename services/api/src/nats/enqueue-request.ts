/** What the subject of a request to enqueue asks for. */
import { isToken } from '@stratum/jobs/internal';
import { PRIORITIES, type Priority, type TaskContract, type Topology } from '@stratum/jobs';
import { invalid, ProblemError } from '@stratum/shared/http';

export interface EnqueueRequest {
  tenantId: number;
  contract: TaskContract;
  priority: Priority;
  /** As the producer chose it. */
  id: string;
}

const TENANT = /^[1-9]\d{0,14}$/;

/** @throws ProblemError that names the part of the subject */
export function readEnqueueRequest(
  names: Topology['names'],
  subject: string,
  contracts: readonly TaskContract[],
): EnqueueRequest {
  const parts = subject.slice(names.enqueueFilter.length - 1).split('.');
  const [tenant = '', queue = '', lane = '', task = '', id = ''] = parts;
  if (parts.length !== 5)
    throw new ProblemError(
      'bad-request',
      `subject: must be ${names.enqueueSubject({ tenant: '<tenant>', queue: '<queue>', priority: '<priority>', task: '<task>', id: '<id>' })}.`,
      { errors: [{ field: 'subject', message: 'has another number of parts' }] },
    );
  if (!TENANT.test(tenant)) throw invalid('subject.tenant', 'must be the id of a tenant, a whole number');
  const contract = contracts.find(({ name }) => name === task);
  if (contract === undefined)
    throw new ProblemError('not-found', 'subject.task: there is no such task for tenants.', {
      errors: [{ field: 'subject.task', message: 'there is no such task for tenants' }],
    });
  if (contract.queue !== queue) throw invalid('subject.queue', `must be ${contract.queue} for this task`);
  const priority = PRIORITIES.find((each) => each === lane);
  if (priority === undefined) throw invalid('subject.priority', `must be one of ${PRIORITIES.join(', ')}`);
  if (!isToken(id)) throw invalid('subject.id', 'must be 1 to 64 characters of A-Z, a-z, 0-9, "_" and "-"');
  return { tenantId: Number(tenant), contract, priority, id };
}
