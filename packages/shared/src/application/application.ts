/** The application that the command and the API serve: the platform's tasks and queues, or those of an own application. */
import type { TaskContract, Topology } from '@stratum/jobs';
import type { Configuration } from '../configuration/configuration.js';
import { platformTopology, type TOPOLOGY_SETTINGS } from '../queues.js';
import { TASKS, TENANT_TASKS } from '../tasks/catalogue.js';
import { loadConfig } from './load-config.js';

export interface Application {
  readonly tasks: readonly TaskContract[];
  /** Tasks that a tenant's API key may enqueue. */
  readonly tenantTasks: readonly TaskContract[];
  readonly topology: (configuration: Pick<Configuration, (typeof TOPOLOGY_SETTINGS)[number]>) => Topology;
}

/** The platform's own. */
export const PLATFORM: Application = Object.freeze({
  tasks: TASKS,
  tenantTasks: TENANT_TASKS,
  topology: platformTopology,
});

/** @param file path of a configuration module; default: the platform itself */
export async function openApplication(file: string | undefined): Promise<Application> {
  if (file === undefined) return PLATFORM;
  const { tasks, tenantTasks, topology } = await loadConfig(file);
  return { tasks, tenantTasks, topology: () => topology };
}
