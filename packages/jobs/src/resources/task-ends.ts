/** What follows when a task has ended for good: its workflow moves on, and the run that has called it wakes. Idempotent, as its callers may repeat it. */
import type { CallEnds } from '../steps/call-ends.js';
import type { TaskHeaders } from '../wire/headers.js';
import { isSameTask, type TaskIdentity } from '../wire/identity.js';
import { isFinal, type TaskRecord } from '../wire/record.js';
import type { WorkflowEngine } from '../workflow/engine.js';

/** Who waits for the end of a task. */
type Awaited = Pick<TaskHeaders, 'workflow' | 'awaitedBy'>;

export class TaskEnds {
  constructor(
    private readonly workflows: Pick<WorkflowEngine, 'stepEnded' | 'catchUp'>,
    private readonly callEnds: Pick<CallEnds, 'ended'>,
  ) {}

  /** Call it before the task's message is acknowledged or removed. @param record final */
  async ended({ workflow, awaitedBy }: Awaited, record: TaskRecord): Promise<void> {
    if (workflow !== undefined) await this.workflows.stepEnded(workflow, record);
    if (awaitedBy !== undefined) await this.callEnds.ended(awaitedBy, record);
  }

  /** The process that ended the task may have died before it did the above. @param record as it is stored now */
  async catchUp(
    { workflow, awaitedBy }: Awaited,
    task: TaskIdentity,
    record: TaskRecord | undefined,
  ): Promise<void> {
    if (workflow !== undefined) await this.workflows.catchUp(workflow, task, record);
    const isOver = record !== undefined && isFinal(record.state) && isSameTask(record, task);
    if (awaitedBy !== undefined && isOver) await this.callEnds.ended(awaitedBy, record);
  }
}
