/** The application's tasks, as people ask for them. */
import type { TaskContract } from '@stratum/jobs';
import { localApplication } from './application.js';
import { typed } from './frame/invocation.js';
import { didYouMean } from './frame/near-names.js';

/** @throws Error with near names */
export async function findTask(name: string): Promise<TaskContract> {
  const { tasks } = await localApplication();
  const contract = tasks.find((task) => task.name === name);
  if (contract !== undefined) return contract;
  const names = tasks.map((task) => task.name);
  throw new Error(
    `There is no task "${name}". ${didYouMean(name, names, `List the tasks with: ${typed('tasks list')}`)}`,
  );
}
