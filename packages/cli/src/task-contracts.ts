/** The platform's tasks, as people ask for them. */
import type { TaskContract } from '@stratum/jobs';
import { TASKS } from '@stratum/shared';

/** @throws Error with the names that there are */
export function findTask(name: string): TaskContract {
  const contract = TASKS.find((task) => task.name === name);
  if (contract !== undefined) return contract;
  throw new Error(`There is no task "${name}". The tasks are: ${TASKS.map((task) => task.name).join(', ')}.`);
}
