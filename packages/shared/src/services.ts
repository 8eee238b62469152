/**
 * The services that a deployment consists of. A queue's worker follows from the queue; everything that a service needs to be known by
 * (its package, its database role) follows from its name.
 */
import { QUEUES, type QueueName } from './queues.js';

export type WorkerName = `${QueueName}-worker`;
export type ServiceName = WorkerName | 'scheduler' | 'api' | 'dashboard';

type Underscored<Text extends string> = Text extends `${infer Head}-${infer Rest}`
  ? `${Head}_${Underscored<Rest>}`
  : Text;
/** A role of the database that owns nothing and has the rights that one service needs. */
export type ServiceRole = `stratum_${Underscored<ServiceName>}`;

export const WORKERS: readonly WorkerName[] = QUEUES.map(({ name }) => workerOf(name));

export const SERVICES: readonly ServiceName[] = [...WORKERS, 'scheduler', 'api', 'dashboard'];

export const SERVICE_ROLES: readonly ServiceRole[] = SERVICES.map((service) => roleOf(service));

export function workerOf(queue: QueueName): WorkerName {
  return `${queue}-worker`;
}

export function roleOf(service: ServiceName): ServiceRole {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the compiler does not follow replaceAll
  return `stratum_${service.replaceAll('-', '_')}` as ServiceRole;
}

/** The module that runs the service when a process imports it. */
export function mainModule(service: ServiceName | 'sandbox'): string {
  return `@stratum/${service}/main`;
}
