/** The platform's tasks, as people ask for them. */
import type { TaskContract } from '@stratum/jobs';
import { TASKS } from '@stratum/shared';
import { typed } from './frame/invocation.js';
import { didYouMean } from './frame/near-names.js';

/** @throws Error with near names */
export function findTask(name: string): TaskContract {
  const contract = TASKS.find((task) => task.name === name);
  if (contract !== undefined) return contract;
  const names = TASKS.map((task) => task.name);
  throw new Error(
    `There is no task "${name}". ${didYouMean(name, names, `List the tasks with: ${typed('tasks list')}`)}`,
  );
}
