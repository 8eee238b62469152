/** The compiler's side of workflows: what fits compiles, and what does not fit must not. The comments fail the type check when it does. */
import {
  chain,
  chord,
  group,
  step,
  type JobsClient,
  type WorkflowDefinition,
  type WorkflowResult,
} from '@stratum/jobs';
import { describe, expectTypeOf, test } from 'vitest';
import { defineTask } from '@stratum/jobs';
import { z } from 'zod';

const sync = defineTask({
  name: 'sync',
  queue: 'work',
  input: z.object({ platform: z.string() }),
  output: z.object({
    rows: z.int(),
    days: z.array(z.object({ spend: z.number() })),
    note: z.string().optional(),
  }),
});
const store = defineTask({
  name: 'store',
  queue: 'work',
  input: z.object({ rows: z.number(), label: z.string(), spend: z.number().optional() }),
  output: z.object({ stored: z.boolean() }),
});
const sum = defineTask({
  name: 'sum',
  queue: 'work',
  input: z.object({ parts: z.array(z.object({ rows: z.number() })) }),
  output: z.number(),
});
const either = defineTask({
  name: 'either',
  queue: 'work',
  input: z.object({}),
  output: z.object({
    end: z.union([
      z.object({ ok: z.literal(true), rows: z.number() }),
      z.object({ ok: z.literal(false), why: z.string() }),
    ]),
    mixed: z.union([z.number(), z.string()]),
    none: z.number().nullable(),
    perhaps: z.number().optional(),
  }),
});
const wide = defineTask({
  name: 'wide',
  queue: 'work',
  input: z.object({
    mixed: z.union([z.number(), z.string(), z.boolean()]).optional(),
    none: z.number().nullable().optional(),
    perhaps: z.number().optional(),
  }),
  output: z.null(),
});
const anything = defineTask({ name: 'anything', queue: 'work', input: z.object({}), output: z.unknown() });

const first = step(sync, { platform: 'meta' });
const second = step(store, { label: 'a' }, { with: { rows: '$previous.rows' } });

describe('a chain', () => {
  test('has the result of its last step, and needs what its first one needs', () => {
    expectTypeOf<WorkflowResult<typeof first>>().toEqualTypeOf<z.output<typeof sync.output>>();
    const both = chain(first, second);
    expectTypeOf<WorkflowResult<typeof both>>().toEqualTypeOf<{ stored: boolean }>();
    const nested = chain(first, chain(second, step(sync, { platform: 'google' })));
    expectTypeOf<WorkflowResult<typeof nested>>().toEqualTypeOf<z.output<typeof sync.output>>();
  });

  test('takes parts of a result, by field and index', () => {
    const listed = chain([first, step(store, { label: 'a' }, { with: { rows: '$previous.days[0].spend' } })]);
    expectTypeOf<WorkflowResult<typeof listed>>().toEqualTypeOf<{ stored: boolean }>();
    // @ts-expect-error -- text where a number is wanted
    chain(first, step(store, { rows: 1 }, { with: { label: '$previous.rows' } }));
    // @ts-expect-error -- a field that the result does not have
    chain(first, step(store, { label: 'a' }, { with: { rows: '$previous.count' } }));
    // @ts-expect-error -- a field that the result may not have
    chain(first, step(store, { rows: 1 }, { with: { label: '$previous.note' } }));
    // @ts-expect-error -- the whole result
    chain(first, step(store, { label: 'a' }, { with: { rows: '$previous' } }));
    // @ts-expect-error -- the third step after the second, not after the first
    chain(first, second, step(store, { label: 'a' }, { with: { rows: '$previous.rows' } }));
    // @ts-expect-error -- in a list of steps, too
    chain([first, step(store, { rows: 1 }, { with: { label: '$previous.rows' } })]);
    // @ts-expect-error -- within a chain that follows
    chain(first, chain(step(store, { rows: 1 }, { with: { label: '$previous.rows' } }), first));
  });

  test('takes unions, and what may be null, where they are wanted, and nothing that may be missing', () => {
    const before = step(either, {});
    const fits = chain(
      before,
      step(wide, {}, { with: { mixed: '$previous.mixed', none: '$previous.none' } }),
    );
    expectTypeOf<WorkflowResult<typeof fits>>().toEqualTypeOf<null>();
    // @ts-expect-error -- a union is wider than one of its members
    chain(before, step(store, { label: 'a' }, { with: { rows: '$previous.mixed' } }));
    // @ts-expect-error -- null where a number is wanted
    chain(before, step(store, { label: 'a' }, { with: { rows: '$previous.none' } }));
    // @ts-expect-error -- a field that one member of the union has
    chain(before, step(store, { label: 'a' }, { with: { rows: '$previous.end.rows' } }));
    // @ts-expect-error -- a reference to nothing fails the step, also where the field is optional
    chain(before, step(wide, {}, { with: { perhaps: '$previous.perhaps' } }));
  });

  test('leaves a result of unknown type, and a definition from JSON, to the worker', () => {
    chain(step(anything, {}), second);
    const foreign: WorkflowDefinition = { task: 'sync' };
    chain(foreign, second, foreign);
    expectTypeOf<WorkflowResult<typeof foreign>>().toBeUnknown();
  });
});

describe('a step', () => {
  test('is complete with its references, and has no others', () => {
    expectTypeOf(step(store, { rows: 1, label: 'a' })).toExtend<WorkflowDefinition>();
    // @ts-expect-error -- neither given nor referred to
    step(store, {}, { with: { rows: '$previous.rows' } });
    // @ts-expect-error -- not a field of the payload
    step(store, { label: 'a', rows: 1 }, { with: { count: '$previous.rows' } });
    // @ts-expect-error -- no reference
    step(store, { label: 'a' }, { with: { rows: 'rows' } });
    // @ts-expect-error -- a payload of another type
    step(store, { label: 1 }, { with: { rows: '$previous.rows' } });
  });
});

describe('a group', () => {
  test('has the results of its members, in their order', () => {
    const mixed = group(first, chain(first, second));
    expectTypeOf<WorkflowResult<typeof mixed>>().toEqualTypeOf<
      [z.output<typeof sync.output>, { stored: boolean }]
    >();
    const listed = group(['meta', 'google'].map((platform) => step(sync, { platform })));
    expectTypeOf<WorkflowResult<typeof listed>>().toEqualTypeOf<z.output<typeof sync.output>[]>();
    const tolerant = group([first], { tolerateFailures: true });
    expectTypeOf<WorkflowResult<typeof tolerant>>().toEqualTypeOf<[z.output<typeof sync.output> | null]>();
  });

  test('passes the result before it to each member', () => {
    const both = chain(first, group(second, step(sync, { platform: 'x' })));
    expectTypeOf<WorkflowResult<typeof both>>().toEqualTypeOf<
      [{ stored: boolean }, z.output<typeof sync.output>]
    >();
    // @ts-expect-error -- the second member does not fit
    chain(first, group(second, step(store, { rows: 1 }, { with: { label: '$previous.rows' } })));
  });
});

describe('a chord', () => {
  test("has its callback's result; the callback takes the results of the group", () => {
    const totals = chord(group(first, first), step(sum, {}, { with: { parts: '$previous' } }));
    expectTypeOf<WorkflowResult<typeof totals>>().toEqualTypeOf<number>();
    const platforms = ['meta', 'google'].map((platform) => step(sync, { platform }));
    chord(platforms, step(sum, {}, { with: { parts: '$previous' } }));
    chord([first, second], step(store, { label: 'a' }, { with: { rows: '$previous[0].rows' } }));
    // @ts-expect-error -- the second member has no rows
    chord([first, second], step(store, { label: 'a' }, { with: { rows: '$previous[1].rows' } }));
    // @ts-expect-error -- one of the members has no rows
    chord(group(first, second), step(sum, {}, { with: { parts: '$previous' } }));
    // @ts-expect-error -- there is no third member
    chord(group(first, second), step(store, { label: 'a' }, { with: { rows: '$previous[2].rows' } }));
    // @ts-expect-error -- a member that may fail leaves null
    chord(group([first], { tolerateFailures: true }), step(sum, {}, { with: { parts: '$previous' } }));
  });
});

test('only what needs no result before it can be started, and its result has a type', () => {
  expectTypeOf<JobsClient['workflows']['start']>().toBeFunction();
  const program = async ({ workflows }: Pick<JobsClient, 'workflows'>): Promise<void> => {
    const definition = chain(first, second);
    const { id } = await workflows.start(definition);
    const { result } = await workflows.result(definition, id);
    expectTypeOf(result).toEqualTypeOf<{ stored: boolean } | null>();
    // @ts-expect-error -- nothing precedes it
    await workflows.start(second);
  };
  expectTypeOf(program).toBeFunction();
});
