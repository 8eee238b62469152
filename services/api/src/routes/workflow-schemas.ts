/** Requests and responses of the workflow routes. */
import { TASK_STATES, WORKFLOW_STATES, workflowDefinitionSchema, type WorkflowNode } from '@stratum/jobs';
import { z } from 'zod';

z.globalRegistry.add(workflowDefinitionSchema, { id: 'WorkflowDefinition' });

/** The definition is read by the workflow engine, which names every place that is wrong; the description shows what it takes. */
export const definitionBody = z
  .record(z.string(), z.unknown())
  .meta({ anyOf: [{ $ref: '#/components/schemas/WorkflowDefinitionInput' }] });

const time = z.string().nullable();
const errorSchema = z.object({ type: z.string(), message: z.string(), retryable: z.boolean() }).nullable();

export const summarySchema = z
  .object({
    id: z.string(),
    tenant: z.string().nullable(),
    state: z.enum(WORKFLOW_STATES),
    error: errorSchema,
    failed: z
      .object({
        path: z.string().describe('Path in the definition, such as `chain[1].group[0]`.'),
        task: z.string(),
        task_id: z.string(),
        state: z.enum(TASK_STATES),
      })
      .nullable()
      .describe('The step that failed the workflow.'),
    started_at: z.string(),
    finished_at: time,
    runtime_ms: z.number().nullable(),
  })
  .meta({ id: 'WorkflowSummary' });

/** A step, chain, group or chord; states and times of the last three follow from their members. */
const nodeSchema: z.ZodType<PublicNode> = z
  .object({
    kind: z.enum(['task', 'chain', 'group', 'chord']),
    path: z.string(),
    state: z.enum([...TASK_STATES, 'WAITING']),
    enqueued_at: time,
    started_at: time,
    finished_at: time,
    runtime_ms: z.number().nullable(),
    task: z.string().optional(),
    queue: z.string().optional(),
    task_id: z.string().optional(),
    retries: z.number().optional(),
    result: z.unknown().optional(),
    result_bytes: z.number().optional(),
    error: errorSchema.optional(),
    get members() {
      return z.array(nodeSchema).optional();
    },
    get group() {
      return nodeSchema.optional();
    },
    get callback() {
      return nodeSchema.optional();
    },
  })
  .meta({ id: 'WorkflowNode' });

interface PublicNode extends Pick<
  WorkflowNode,
  'kind' | 'path' | 'state' | 'enqueued_at' | 'started_at' | 'finished_at' | 'runtime_ms'
> {
  task?: string | undefined;
  queue?: string | undefined;
  task_id?: string | undefined;
  retries?: number | undefined;
  result?: unknown;
  result_bytes?: number | undefined;
  error?: z.output<typeof errorSchema> | undefined;
  members?: PublicNode[] | undefined;
  group?: PublicNode | undefined;
  callback?: PublicNode | undefined;
}

export const viewSchema = summarySchema
  .extend({
    steps: z.record(z.string(), z.int()).describe('Number of steps in `total` and in each state.'),
    tree: nodeSchema.nullable(),
  })
  .meta({ id: 'Workflow' });

export const outcomeSchema = summarySchema
  .extend({
    result: z
      .unknown()
      .describe("Result of the workflow. A group's result is an array in the order of its members."),
  })
  .meta({ id: 'WorkflowOutcome' });
