/**
 * The final records of steps, stored with their workflow: the results bucket drops them after a day, and a workflow may take longer. A
 * step's end is recorded once. Only a replay of its dead letter can change it, and success never changes.
 */
import { isFinal, type TaskRecord } from '../wire/record.js';
import { prevails } from '../record/precedence.js';
import { readRecord } from '../record/read-record.js';
import { withoutStack } from '../record/task-record.js';
import { WorkflowBucket, workflowKeys } from './bucket.js';
import type { Run } from './runs.js';

export interface RecordedEnd {
  /** The stored end. */
  record: TaskRecord;
  /** No end was stored before. */
  isFirst: boolean;
}

/** Up to this number they are read one by one. */
const SCAN_FROM = 64;

export class Ends {
  constructor(private readonly bucket: WorkflowBucket) {}

  async record(workflow: string, node: number, record: TaskRecord): Promise<RecordedEnd> {
    const key = workflowKeys.end(workflow, node);
    // The stack trace is in the task's own record.
    const body = JSON.stringify(withoutStack(record));
    if ((await this.bucket.put(key, body, 0)) !== undefined) return { record, isFirst: true };
    let standing: TaskRecord | undefined;
    const written = await this.bucket.change(key, (stored) => {
      standing = stored && readRecord(stored.message);
      const isKept = standing !== undefined && (!isFinal(record.state) || prevails(standing, record));
      return isKept ? undefined : body;
    });
    if (written === undefined && standing !== undefined) return { record: standing, isFirst: false };
    return { record, isFirst: standing === undefined };
  }

  async read(workflow: string, node: number): Promise<TaskRecord | undefined> {
    const stored = await this.bucket.get(workflowKeys.end(workflow, node));
    return stored && readRecord(stored.message);
  }

  /** The ends of those nodes that have ended. */
  async readMany({ id, sequence }: Run, nodes: readonly number[]): Promise<Map<number, TaskRecord>> {
    if (nodes.length >= SCAN_FROM) return this.readAll(id, sequence);
    const found = await Promise.all(nodes.map(async (node) => [node, await this.read(id, node)] as const));
    return new Map(found.flatMap(([node, record]) => (record === undefined ? [] : [[node, record]])));
  }

  async readAll(id: string, from: number): Promise<Map<number, TaskRecord>> {
    const ends = new Map<number, TaskRecord>();
    const add = (node: number, record: TaskRecord | undefined): void => {
      if (record !== undefined) ends.set(node, record);
    };
    for await (const message of this.bucket.scan(workflowKeys.end(id, '*'), from))
      add(WorkflowBucket.nodeOf(message.subject), readRecord(message));
    return ends;
  }
}
