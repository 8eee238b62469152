/** Of an answer about something else: the id of the task that was enqueued for it. */
export const TASK_HEADER = 'stratum-task-id';
