/**
 * The final records of steps, kept with their workflow: the results bucket forgets them after a day, a workflow may take longer. A
 * step's end is recorded once; only a replay of its dead letter can change it, and success is never changed.
 */
import { isFinal, taskRecordSchema, type TaskRecord } from '../wire/record.js';
import { prevails } from '../record/precedence.js';
import { withoutStack } from '../record/task-record.js';
import { WorkflowBucket, workflowKeys } from './bucket.js';
import type { Run } from './runs.js';

export interface RecordedEnd {
  /** What stands there now. */
  record: TaskRecord;
  /** Nothing stood there before. */
  isFirst: boolean;
}

/** Fewer are asked for one by one. */
const SCAN_FROM = 64;

export class Ends {
  constructor(private readonly bucket: WorkflowBucket) {}

  async record(workflow: string, node: number, record: TaskRecord): Promise<RecordedEnd> {
    const key = workflowKeys.end(workflow, node);
    // Where an error came from is in the task's own record, as long as anybody looks for it.
    const body = JSON.stringify(withoutStack(record));
    if ((await this.bucket.put(key, body, 0)) !== undefined) return { record, isFirst: true };
    let standing: TaskRecord | undefined;
    const written = await this.bucket.change(key, (stored) => {
      standing = stored && taskRecordSchema.parse(stored.message.json());
      const isKept = standing !== undefined && (!isFinal(record.state) || prevails(standing, record));
      return isKept ? undefined : body;
    });
    if (written === undefined && standing !== undefined) return { record: standing, isFirst: false };
    return { record, isFirst: standing === undefined };
  }

  async read(workflow: string, node: number): Promise<TaskRecord | undefined> {
    const stored = await this.bucket.get(workflowKeys.end(workflow, node));
    return stored && taskRecordSchema.parse(stored.message.json());
  }

  /** The ends of these nodes, as far as they have ended. */
  async readMany({ id, sequence }: Run, nodes: readonly number[]): Promise<Map<number, TaskRecord>> {
    if (nodes.length >= SCAN_FROM) return this.readAll(id, sequence);
    const found = await Promise.all(nodes.map(async (node) => [node, await this.read(id, node)] as const));
    return new Map(found.flatMap(([node, record]) => (record === undefined ? [] : [[node, record]])));
  }

  async readAll(id: string, from: number): Promise<Map<number, TaskRecord>> {
    const ends = new Map<number, TaskRecord>();
    for await (const message of this.bucket.scan(workflowKeys.end(id, '*'), from))
      ends.set(WorkflowBucket.nodeOf(message.subject), taskRecordSchema.parse(message.json()));
    return ends;
  }
}
