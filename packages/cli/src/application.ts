/** The application whose tasks and queues a command works on: your own, or the platform. */
import type { TaskContract, Topology } from '@stratum/jobs';
import {
  loadConfiguration,
  openApplication,
  PLATFORM,
  QUEUES,
  TOPOLOGY_SETTINGS,
  type Application,
} from '@stratum/shared';
import { findConfigFile } from './config-file.js';

/** By configuration file: one command asks for its application several times. */
const opened = new Map<string | undefined, Promise<Application>>();

function open(file: string | undefined): Promise<Application> {
  let application = opened.get(file);
  if (application === undefined) {
    application = openApplication(file);
    opened.set(file, application);
  }
  return application;
}

/** The application of the configuration file, else the platform. A prefix in the environment outranks a file that was found by its name. */
export async function localApplication(environment: NodeJS.ProcessEnv = process.env): Promise<Application> {
  const application = await open(findConfigFile(environment));
  const { STRATUM_CONFIG: named, STRATUM_PREFIX: prefix } = environment;
  if (application === PLATFORM || named || !prefix) return application;
  const isOther = application.topology(loadConfiguration(TOPOLOGY_SETTINGS, {})).names.prefix !== prefix;
  return isOther ? PLATFORM : application;
}

/** The contracts of a topology's tasks; none for queues that were discovered on the server and belong to an unknown application. */
export async function tasksOf({ queues }: Topology): Promise<readonly TaskContract[]> {
  const { tasks } = await localApplication();
  const isUnknown =
    tasks === PLATFORM.tasks && QUEUES.some(({ name }) => queues.every((queue) => queue.name !== name));
  return isUnknown ? [] : tasks;
}
