/** The context of an attempt inside a thread: the same interface, implemented by messages to the main thread. */
import type { z } from 'zod';
import type { Enqueued } from '../message/enqueued.js';
import type { EnqueueOptions } from '../message/compose-task.js';
import { RetryRequestedError, SnoozeRequestedError, StepError } from '../errors.js';
import { parsePayload, type TaskContract } from '../task/define-task.js';
import { toProgress } from '../record/task-progress.js';
import { guardedLogger } from '../telemetry/guarded-logger.js';
import { jsonLogger } from '../telemetry/logger.js';
import { duration } from '../values/bounds.js';
import type { TaskContext } from '../worker/context.js';
import type { WorkflowDefinition } from '../workflow/definition.js';
import { resolveDefinition } from '../workflow/resolve.js';
import type { MainLink } from './main-link.js';
import type { AttemptFacts } from './protocol.js';

export function threadContext(facts: AttemptFacts, link: MainLink, logLevel: string): TaskContext {
  return {
    ...facts,
    get signal() {
      return link.signal;
    },
    logger: guardedLogger(jsonLogger({ level: logLevel, write: (line) => link.send({ kind: 'log', line }) })),
    progress: (done, total, note) => link.send({ kind: 'progress', progress: toProgress(done, total, note) }),
    retry: ({ delayMs, cause } = {}) => {
      throw new RetryRequestedError(duration.optional('delayMs', delayMs), cause);
    },
    snooze: (delayMs) => {
      throw new SnoozeRequestedError(duration.require('delayMs', delayMs));
    },
    step: noSteps,
    sleep: noSteps,
    all: noSteps,
    waitForEvent: noSteps,
    call: noSteps,
    enqueue: async (contract, payload, options) => composeChild(link, contract, payload, options)(),
    enqueueMany: async (contract, items) => {
      const children = items.map(({ payload, options }) => composeChild(link, contract, payload, options));
      return Promise.all(children.map((enqueue) => enqueue()));
    },
    previous: () => link.previous(),
    startWorkflow: async (definition, options = {}) => {
      // Contracts cannot leave the thread, so the options of the steps are written into the definition.
      const { definition: resolved } = resolveDefinition(definition, {
        contracts: [],
        tenant: options.tenant === undefined ? undefined : String(options.tenant),
        queues: undefined,
        maxPayloadBytes: Infinity,
      });
      const plain: WorkflowDefinition = JSON.parse(JSON.stringify(resolved));
      return link.startWorkflow(plain, options);
    },
  };
}

/** What is remembered of a run is the main thread's. */
async function noSteps(): Promise<never> {
  throw new StepError(
    'invalid_options',
    'A task in a thread has no steps; let a task with steps enqueue it.',
  );
}

/** Checks a child against its contract. The contract cannot leave the thread, so its settings travel as options. */
function composeChild<Input extends z.ZodType>(
  link: MainLink,
  contract: TaskContract<Input>,
  payload: z.input<Input>,
  options: EnqueueOptions = {},
): () => Promise<Enqueued> {
  const tenant = contract.tenantOf(parsePayload(contract, payload));
  const known = { priority: contract.priority, ...(tenant === undefined ? {} : { tenant }), ...options };
  // Cloning would ignore `toJSON` methods.
  const plain: unknown = JSON.parse(JSON.stringify(payload));
  return () => link.enqueue(contract.queue, contract.name, plain, known);
}
