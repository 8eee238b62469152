/** The workflow of a tenant: made of tasks that it may ask for, each of them its own. */
import type { TaskContract } from '@stratum/jobs';
import { GROUP_PORTION } from '@stratum/jobs/internal';
import { asRecord, ProblemError, type FieldError } from '@stratum/shared/http';
import type { WorkflowSize } from '../quotas/task-quota.js';
import { ownPayload } from './own-payload.js';

/** Deeper ones are left as they are: the engine refuses them. */
const MAX_DEPTH = 40;
/** An answer has no more. */
const MAX_ERRORS = 100;

/** @throws ProblemError that names the steps which are not the tenant's */
export function ownWorkflow(
  definition: Record<string, unknown>,
  tenantId: number,
  tenantTasks: readonly TaskContract[],
): Record<string, unknown> {
  const errors: FieldError[] = [];
  const owned = asRecord(own(definition, 'body', 0));
  if (errors.length > 0) throw problem();
  return owned;

  function problem(): ProblemError {
    const detail = errors.map(({ field, message }) => `${field}: ${message}`).join('; ');
    return new ProblemError('invalid', detail, { errors });
  }

  function own(value: unknown, path: string, depth: number): unknown {
    if (depth > MAX_DEPTH || typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value))
      return value.map((member, index) => own(member, `${path}[${index}]`, depth + 1));
    if ('task' in value) return ownStep(value, path);
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [
        key,
        ['chain', 'group', 'chord', 'callback'].includes(key)
          ? own(inner, `${path}.${key}`, depth + 1)
          : inner,
      ]),
    );
  }

  function ownStep(step: object & { task: unknown }, path: string): unknown {
    const {
      task,
      queue: _queue,
      options,
      payload,
      with: references,
      ...rest
    }: Record<string, unknown> & {
      task: unknown;
    } = { ...step };
    const refuse = (field: string, message: string): void => {
      errors.push({ field: `${path}.${field}`, message });
      if (errors.length === MAX_ERRORS) throw problem();
    };
    if (!tenantTasks.some(({ name }) => name === task))
      refuse('task', `unknown task ${JSON.stringify(task)}. GET /v1/tasks lists all tasks`);
    if ('tenant_id' in asRecord(references))
      refuse('with.tenant_id', "must be omitted: it is always the key's tenant");
    if ('tenant' in asRecord(options))
      refuse('options.tenant', "must be omitted: it is always the key's tenant");
    return {
      ...rest,
      task,
      payload: ownPayload(payload ?? {}, tenantId, `${path}.payload`),
      ...(options === undefined ? {} : { options }),
      ...(references === undefined ? {} : { with: references }),
    };
  }
}

/** Of a definition that the engine will refuse, at least of what it knows down to `MAX_DEPTH`. */
export function sizeOf(definition: unknown, depth = 0): WorkflowSize {
  const { task, chain, group, chord, callback } = asRecord(definition);
  if (depth > MAX_DEPTH) return { steps: 0, first: 0 };
  if (task !== undefined) return { steps: 1, first: 1 };
  const sizes = (members: unknown): WorkflowSize[] =>
    Array.isArray(members) ? members.map((member) => sizeOf(member, depth + 1)) : [];
  const inChain = sizes(chain);
  const inGroup = sizes(group);
  const inChord = chord === undefined ? [] : sizes([chord]);
  const last = callback === undefined ? [] : sizes([callback]);
  return {
    steps: sum([...inChain, ...inGroup, ...inChord, ...last], 'steps'),
    first: sum([...inChain.slice(0, 1), ...inGroup.slice(0, GROUP_PORTION), ...inChord], 'first'),
  };
}

function sum(parts: readonly WorkflowSize[], of: keyof WorkflowSize): number {
  return parts.reduce((total, part) => total + part[of], 0);
}
