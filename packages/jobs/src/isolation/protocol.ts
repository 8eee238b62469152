/** Messages between an isolated attempt and the main thread. All of them can be cloned. */
import type { MessagePort } from 'node:worker_threads';
import type { EnqueueOptions } from '../message/compose-task.js';
import type { TaskProgress } from '../wire/record.js';
import type { TaskContext } from '../worker/context.js';
import type { WorkflowDefinition } from '../workflow/definition.js';
import type { StartWorkflowOptions } from '../workflow/start.js';
import type { Thrown } from './thrown.js';

/** The part of the context that does not change. */
export type AttemptFacts = Pick<
  TaskContext,
  | 'id'
  | 'task'
  | 'queue'
  | 'priority'
  | 'tenant'
  | 'retries'
  | 'deliveries'
  | 'enqueuedAt'
  | 'scheduledBy'
  | 'workflow'
>;

export interface Job {
  /** URL of the module, and the export that is the handler; `undefined`: the handler that the module binds to the task. */
  module: string;
  exportName: string | undefined;
  payload: unknown;
  /** The `data` that the handler was bound with. */
  data: unknown;
  facts: AttemptFacts;
  logLevel: string;
  port: MessagePort;
}

export type FromThread =
  | { kind: 'progress'; progress: TaskProgress }
  /** A line of the attempt's log, as JSON. */
  | { kind: 'log'; line: string }
  | { kind: 'enqueue'; call: number; queue: string; task: string; payload: unknown; options: EnqueueOptions }
  | { kind: 'previous'; call: number }
  | { kind: 'start_workflow'; call: number; definition: WorkflowDefinition; options: StartWorkflowOptions }
  | { kind: 'returned'; result: unknown }
  | { kind: 'threw'; thrown: Thrown };

export type ToThread =
  | { kind: 'abort'; reason: Thrown }
  /** The outcome of a call. */
  | { kind: 'answered'; call: number; answer: unknown }
  | { kind: 'refused'; call: number; thrown: Thrown };
