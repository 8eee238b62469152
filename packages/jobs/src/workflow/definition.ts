/**
 * The form of a workflow definition, in TypeScript and in JSON:
 *
 *     { "chain": [step, …] }                               one after the other
 *     { "group": [step, …] }                               at the same time
 *     { "chord": { "group": [step, …], "callback": step } }   at the same time, then the callback
 *     { "task", "payload", "options"?, "with"? }           a step; another workflow may take its place
 */
import { z } from 'zod';
import { boundedSchema } from '../values/bounded-schema.js';
import { count, duration, timeLimit } from '../values/bounds.js';
import { PRIORITIES, type Priority } from '../wire/names.js';

/** Limit of members per chain or group. */
export const MAX_MEMBERS = 10_000;
/** Limit of nodes per definition: steps, chains, groups and chords. */
export const MAX_NODES = 20_000;
/** Limit of nesting. */
export const MAX_DEPTH = 32;
/** Size limit of a definition as JSON, including the settings from the contracts. */
export const MAX_DEFINITION_BYTES = 8 * 1024 * 1024;

/** The result of the step before, or a part of it: `$previous`, `$previous.sum`, `$previous[2].rows[0].id`. */
export type Reference = `$previous${string}`;

/** Options for enqueueing a step. Times are milliseconds after the end of the previous step. */
export interface StepOptions {
  /** Lane within the queue. Default: the contract's. */
  priority?: Priority | undefined;
  /** Delay after the time when it could start. */
  delay_ms?: number | undefined;
  /** A step that has not started by then ends as `EXPIRED`. */
  expires_ms?: number | undefined;
  /** Override the contract's retries and limits. */
  max_retries?: number | undefined;
  soft_time_limit_ms?: number | undefined;
  time_limit_ms?: number | undefined;
  /** Default: the workflow's, else derived from the payload by the contract. */
  tenant?: string | number | undefined;
}

export interface Step {
  task: string;
  /** Required only if the task's contract is not known. */
  queue?: string | undefined;
  /** Default `{}`. */
  payload?: Record<string, unknown> | undefined;
  options?: StepOptions | undefined;
  /** Payload fields that take their values from the previous result. */
  with?: Record<string, string> | undefined;
}

export interface Chain {
  chain: WorkflowDefinition[];
}

export interface Group {
  group: WorkflowDefinition[];
  /** A member that fails counts as done, with `null` for its result. Default false: the workflow fails. */
  tolerate_failures?: boolean | undefined;
}

export interface Chord {
  chord: {
    group: WorkflowDefinition[];
    callback: WorkflowDefinition;
    tolerate_failures?: boolean | undefined;
  };
}

export type WorkflowDefinition = Step | Chain | Group | Chord;

const token = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 characters of A–Z, a–z, 0–9, "_" and "-"');

const stepOptionsSchema = z.strictObject({
  priority: z.enum(PRIORITIES).optional(),
  delay_ms: boundedSchema(duration).optional(),
  expires_ms: boundedSchema(timeLimit).optional(),
  max_retries: boundedSchema(count).optional(),
  soft_time_limit_ms: boundedSchema(timeLimit).optional(),
  time_limit_ms: boundedSchema(timeLimit).optional(),
  tenant: z.union([token, z.int().nonnegative()]).optional(),
});

const REFERENCE = /^\$previous(\.[A-Za-z_$][\w$-]*|\[\d+\])*$/;

export const stepSchema = z.strictObject({
  task: token,
  queue: token.optional(),
  payload: z.record(z.string(), z.unknown()).optional(),
  options: stepOptionsSchema.optional(),
  with: z
    .record(
      z.string().min(1),
      z.string().regex(REFERENCE, 'must be "$previous", followed by fields and indexes: "$previous[2].name"'),
    )
    .optional(),
});

const membersSchema = z.array(z.lazy(() => workflowDefinitionSchema)).max(MAX_MEMBERS);

/**
 * The schema of a definition, for documents such as an OpenAPI description. `workflows.start` checks more than a schema can express, and
 * names the invalid places.
 */
export const workflowDefinitionSchema: z.ZodType<WorkflowDefinition> = z.union([
  stepSchema,
  z.strictObject({ chain: membersSchema.min(1) }),
  z.strictObject({ group: membersSchema, tolerate_failures: z.boolean().optional() }),
  z.strictObject({
    chord: z.strictObject({
      group: membersSchema,
      callback: z.lazy(() => workflowDefinitionSchema),
      tolerate_failures: z.boolean().optional(),
    }),
  }),
]);
