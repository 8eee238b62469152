/** Chains, groups and chords against a real broker. */
import {
  chain,
  chord,
  createClient,
  createWorkflowMaintenance,
  group,
  handleTask,
  step,
  type WorkflowDefinition,
  type WorkflowNode,
} from '@stratum/jobs';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { headers as newHeaders } from '@nats-io/transport-node';
import { describe, expect, onTestFinished, test } from 'vitest';
import { waitFor } from '../harness/index.js';
import { openJobs, type Jobs } from './fixture.js';
import { countedHandlers, moody, moodyHandler, total, totalHandler } from './workflow-tasks.js';

const HANDLERS = [totalHandler, moodyHandler];
const PREVIOUS = { with: { of: '$previous' } } as const;

/** A started worker that knows the tasks, and the JSON of them. */
async function openWorkflows(): Promise<Jobs> {
  const jobs = await openJobs();
  const { connection, topology } = jobs;
  const client = createClient({ connection, topology, contracts: [total, moody] });
  onTestFinished(() => client.close());
  return { ...jobs, client };
}

const run = async ({ client }: Jobs, definition: WorkflowDefinition, id?: string): Promise<unknown> => {
  const started = await client.workflows.start(definition, id === undefined ? {} : { id });
  return client.workflows.result(started.id);
};

/** Nodes by their place. */
async function nodesOf({ client }: Jobs, id: string): Promise<Map<string, WorkflowNode>> {
  const view = await client.workflows.get(id);
  const nodes = new Map<string, WorkflowNode>();
  const visit = (node: WorkflowNode): void => {
    nodes.set(node.path, node);
    for (const inside of [...(node.members ?? []), node.group, node.callback]) if (inside) visit(inside);
  };
  if (view?.tree) visit(view.tree);
  return nodes;
}

describe('a workflow that succeeds', () => {
  test('hands each result to the next step of a chain', async () => {
    const jobs = await openWorkflows();
    jobs.worker(HANDLERS);
    const definition = chain(
      step(total, { plus: 1 }),
      step(total, { plus: 2 }, { with: { of: '$previous.sum' } }),
      step(total, { plus: 4 }, PREVIOUS),
    );
    expect(await run(jobs, definition, 'w')).toMatchObject({ state: 'SUCCESS', result: { sum: 7 } });
    const nodes = await nodesOf(jobs, 'w');
    expect([...nodes.keys()]).toEqual(['', 'chain[0]', 'chain[1]', 'chain[2]']);
    expect(nodes.get('chain[1]')).toMatchObject({
      state: 'SUCCESS',
      task: 'total',
      task_id: 'w-2',
      result: { sum: 3 },
    });
    expect(await jobs.client.status('w-2')).toMatchObject({
      state: 'SUCCESS',
      parent_id: 'w-1',
      root_id: 'w-1',
    });
    expect(await jobs.client.workflows.get('w')).toMatchObject({
      steps: { total: 3, SUCCESS: 3 },
      failed: null,
    });
  });

  test('gathers the results of a group in the order of its members', async () => {
    const jobs = await openWorkflows();
    jobs.worker(HANDLERS);
    const members = Array.from({ length: 20 }, (_, n) => step(total, { plus: n }));
    const { result } = await jobs.client.workflows.result(
      (await jobs.client.workflows.start(group(members))).id,
    );
    expect(result).toEqual(members.map((_, n) => ({ sum: n })));
  });

  test('runs the callback of a chord with all results, or with some of them', async () => {
    const jobs = await openWorkflows();
    jobs.worker(HANDLERS);
    const header = [step(total, { plus: 1 }), step(total, { plus: 2 }), step(total, { plus: 4 })];
    expect(await run(jobs, chord(header, step(total, {}, PREVIOUS)))).toMatchObject({ result: { sum: 7 } });
    const third = step(total, {}, { with: { of: '$previous[2].sum' } });
    expect(await run(jobs, chord(group(header), third))).toMatchObject({ result: { sum: 4 } });
  });

  test('continues at once after a group without members', async () => {
    const jobs = await openWorkflows();
    jobs.worker(HANDLERS);
    expect(await run(jobs, group([]))).toMatchObject({ state: 'SUCCESS', result: [] });
    const callback = step(total, { plus: 3 }, PREVIOUS);
    expect(await run(jobs, chord([], callback))).toMatchObject({ result: { sum: 3 } });
    const nested = chain(step(total, { plus: 1 }), group(group([]), step(total, {}, PREVIOUS)), group([]));
    expect(await run(jobs, nested)).toMatchObject({ state: 'SUCCESS', result: [] });
  });

  test('passes the previous result to the first steps of a nested workflow', async () => {
    const jobs = await openWorkflows();
    jobs.worker(HANDLERS);
    const inner = chain(step(total, { plus: 10 }, PREVIOUS), step(total, { plus: 100 }, PREVIOUS));
    const definition = chain(
      step(total, { plus: 1 }),
      group(inner, chord([inner, inner], step(total, {}, PREVIOUS))),
    );
    expect(await run(jobs, definition)).toMatchObject({ result: [{ sum: 111 }, { sum: 222 }] });
  });

  test('takes the options of its steps: delays, lanes, tenants', async () => {
    const jobs = await openWorkflows();
    const definition = chain(
      step(total, { plus: 1, tenant_id: 7 }, { options: { priority: 'high', delay_ms: 2_000 } }),
      step(total, { plus: 1 }, { with: { of: '$previous' }, options: { tenant: 7, max_retries: 9 } }),
    );
    const { id } = await jobs.client.workflows.start(definition, { tenant: 7 });
    expect((await nodesOf(jobs, id)).get('chain[0]')).toMatchObject({ state: 'SCHEDULED' });
    expect(await jobs.client.status(`${id}-1`)).toMatchObject({
      state: 'SCHEDULED',
      priority: 'high',
      tenant: '7',
    });
    const own = await jobs.client.workflows.start(step(total, { plus: 1, tenant_id: 8 }));
    jobs.worker(HANDLERS);
    expect(await jobs.client.workflows.result(own.id)).toMatchObject({ state: 'SUCCESS', tenant: '8' });
    expect(await jobs.client.workflows.result(id)).toMatchObject({ state: 'SUCCESS', tenant: '7' });
    const first = await jobs.client.status(`${id}-1`);
    const waited = Date.parse(first?.started_at ?? '') - Date.parse(first?.enqueued_at ?? '');
    expect(waited).toBeGreaterThanOrEqual(1_999);
    expect(await jobs.client.status(`${id}-2`)).toMatchObject({ tenant: '7' });
  });

  test('keeps its results from contracts that want none, and shows large ones by their size', async () => {
    const jobs = await openWorkflows();
    const large = 'x'.repeat(5_000);
    jobs.worker(
      [handleTask({ ...total, ignoreResult: true }, ({ plus }) => ({ sum: plus, large }))].concat(
        HANDLERS.slice(1),
      ),
    );
    const definition = chain(step(total, { plus: 5 }), step(total, { plus: 1 }, PREVIOUS));
    expect(await run(jobs, definition, 'w')).toMatchObject({ state: 'SUCCESS' });
    expect(await jobs.client.status('w-1')).toMatchObject({ result: { sum: 5 } });
  });
});

describe('a step that does not succeed', () => {
  test('fails the workflow and is named; later steps never run, its siblings do', async () => {
    const jobs = await openWorkflows();
    const { handlers, runs } = countedHandlers();
    jobs.worker(handlers);
    const definition = chain(
      chord(
        [step(moody, { good: false }), chain(step(total, { plus: 1 }), step(total, { plus: 1 }, PREVIOUS))],
        step(total, {}, PREVIOUS),
      ),
      step(total, {}),
    );
    expect(await run(jobs, definition, 'w')).toMatchObject({
      state: 'FAILURE',
      result: null,
      error: { type: 'TaskError', message: 'in a bad mood' },
      failed: { path: 'chain[0].chord.group[0]', task: 'moody', task_id: 'w-3', state: 'FAILURE' },
    });
    await waitFor(
      'the neighbours',
      async () => (await nodesOf(jobs, 'w')).get('chain[0].chord.group[1]')?.state === 'SUCCESS',
    );
    const nodes = await nodesOf(jobs, 'w');
    expect(nodes.get('chain[0].chord.callback')).toMatchObject({ state: 'WAITING', enqueued_at: null });
    expect(nodes.get('chain[1]')).toMatchObject({ state: 'WAITING' });
    expect(runs).toEqual(
      new Map([
        ['w-3', 1],
        ['w-5', 1],
        ['w-6', 1],
      ]),
    );
  });

  test('that is replayed resumes the workflow where it failed', async () => {
    const jobs = await openWorkflows();
    const { handlers, runs } = countedHandlers();
    jobs.worker(handlers);
    const definition = chain(
      step(total, { plus: 1 }),
      group(step(moody, { good: false }), step(moody, { good: false }), step(total, { plus: 2 })),
      step(total, {}, PREVIOUS),
    );
    expect(await run(jobs, definition, 'w')).toMatchObject({ state: 'FAILURE' });
    await waitFor('both letters', async () => (await jobs.client.deadLetters.list()).length === 2);
    await jobs.client.deadLetters.replay('w-3', { payload: { good: true } });
    await jobs.client.result('w-3');
    // The other one has failed as before.
    await waitFor('the other failure to be named', async () => {
      const view = await jobs.client.workflows.get('w');
      return view?.state === 'FAILURE' && view.failed?.task_id === 'w-4';
    });
    await jobs.client.deadLetters.replay('w-4', { payload: { good: true } });
    await waitFor('the end', async () => (await jobs.client.workflows.get('w'))?.state === 'SUCCESS');
    expect(await jobs.client.workflows.result('w')).toMatchObject({
      result: { sum: 202 },
      error: null,
      failed: null,
    });
    expect(runs.get('w-6')).toBe(1);
    expect(runs.get('w-3')).toBe(2);
  });

  test('that is enqueued twice, however late, does not run again', async () => {
    const jobs = await openWorkflows();
    const { handlers, runs } = countedHandlers();
    jobs.worker(handlers);
    expect(await run(jobs, chain(step(moody, { good: false }), step(total, {})), 'w')).toMatchObject({
      state: 'FAILURE',
    });
    const { names } = jobs.topology;
    const place = { queue: 'work', priority: 'normal', tenant: undefined, id: 'w-1' } as const;
    const headers = newHeaders();
    headers.set('Task-Workflow', 'w 1');
    await jetstream(jobs.connection).publish(
      names.taskSubject({ ...place, task: 'moody' }),
      '{"good":true}',
      { headers },
    );
    await waitFor('it to be skipped', async () => {
      const [queue] = await jobs.client.queues();
      return queue?.normal === 0 && queue.running === 0;
    });
    expect(runs).toEqual(new Map([['w-1', 1]]));
    expect(await jobs.client.workflows.get('w')).toMatchObject({ state: 'FAILURE' });
  });

  test('of an unknown workflow is an ordinary task', async () => {
    const jobs = await openWorkflows();
    jobs.worker(HANDLERS);
    const { names } = jobs.topology;
    const headers = newHeaders();
    headers.set('Task-Workflow', 'never-started 1');
    const place = { queue: 'work', priority: 'normal', tenant: undefined, id: 'foreign' } as const;
    await jetstream(jobs.connection).publish(names.taskSubject({ ...place, task: 'total' }), '{"plus":1}', {
      headers,
    });
    expect(await jobs.client.result('foreign')).toMatchObject({ state: 'SUCCESS', result: { sum: 1 } });
  });

  test('counts as done in a group that tolerates failures, with null for its result', async () => {
    const jobs = await openWorkflows();
    jobs.worker(HANDLERS);
    const failing = chain(step(moody, { good: false }), step(total, { plus: 1 }));
    const tolerant = group([step(total, { plus: 1 }), failing, step(moody, { good: false })], {
      tolerateFailures: true,
    });
    expect(await run(jobs, tolerant)).toMatchObject({ state: 'SUCCESS', result: [{ sum: 1 }, null, null] });
    // A member that has failed is null as a whole, whatever came of its parts.
    const half = group(
      [
        group(step(total, { plus: 1 }), step(moody, { good: false })),
        chain(step(moody, { good: false }), group([])),
      ],
      { tolerateFailures: true },
    );
    expect(await run(jobs, half)).toMatchObject({ state: 'SUCCESS', result: [null, null] });
    expect(await run(jobs, chord(tolerant, step(total, { plus: 5 }, PREVIOUS)))).toMatchObject({
      result: { sum: 6 },
    });
  });

  test('is awaited until the caller aborts', async () => {
    const { client } = await openWorkflows();
    const { id } = await client.workflows.start(step(total, {}));
    const controller = new AbortController();
    const waiting = client.workflows.result(id, { signal: controller.signal });
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(client.workflows.result(id, { signal: controller.signal })).rejects.toBe(reason);
  });

  test('may have expired or been revoked', async () => {
    const jobs = await openWorkflows();
    const late = chain(step(total, {}, { options: { expires_ms: 1 } }), step(total, {}));
    const { id: expiring } = await jobs.client.workflows.start(late);
    const { id: revoked } = await jobs.client.workflows.start(chain(step(total, {}), step(total, {})));
    expect(await jobs.client.revoke(`${revoked}-1`)).toBe('revoked');
    expect(await jobs.client.workflows.result(revoked)).toMatchObject({
      state: 'FAILURE',
      failed: { state: 'REVOKED', path: 'chain[0]' },
      error: { type: 'TaskRevoked' },
    });
    jobs.worker(HANDLERS);
    expect(await jobs.client.workflows.result(expiring)).toMatchObject({
      state: 'FAILURE',
      failed: { state: 'EXPIRED' },
    });
  });

  test('that refers to a missing part of the previous result becomes a dead letter with the reason, and can be replayed', async () => {
    const jobs = await openWorkflows();
    jobs.worker(HANDLERS);
    const definition = chain(
      step(total, { plus: 1 }),
      step(total, {}, { with: { of: '$previous.rows[0]' } }),
      step(total, { plus: 1 }, PREVIOUS),
    );
    expect(await run(jobs, definition, 'w')).toMatchObject({
      state: 'FAILURE',
      failed: { path: 'chain[1]' },
      error: {
        message: expect.stringContaining(
          'of: $previous.rows does not exist: the previous result is an object with sum',
        ),
      },
    });
    expect(await jobs.client.result('w-2')).toMatchObject({ state: 'FAILURE' });
    expect(await jobs.client.deadLetters.get('w-2')).toMatchObject({
      reason: 'invalid_payload',
      payload: {},
    });
    await jobs.client.deadLetters.replay('w-2', { payload: { plus: 5 } });
    await waitFor('the end', async () => (await jobs.client.workflows.get('w'))?.state === 'SUCCESS');
    expect(await jobs.client.workflows.result('w')).toMatchObject({ result: { sum: 6 } });
  });

  test('whose completed payload does not fit its contract fails, and names the field', async () => {
    const jobs = await openWorkflows();
    jobs.worker(HANDLERS);
    const misfit: WorkflowDefinition = step(total, {}, { with: { plus: '$previous' } });
    expect(await run(jobs, chain(step(total, { plus: 1 }), misfit))).toMatchObject({
      state: 'FAILURE',
      error: { type: 'InvalidPayloadError', message: expect.stringContaining('plus: ') },
    });
  });

  test('cannot take more from the step before than a payload may hold, but its handler can', async () => {
    const jobs = await openJobs({ maxPayloadBytes: 1_000 });
    const seen: unknown[] = [];
    jobs.worker([
      handleTask(total, async ({ plus }, context) => {
        const previous = await context.previous();
        if (previous !== undefined) seen.push(previous);
        return { sum: plus };
      }),
    ]);
    const members = Array.from({ length: 200 }, (_, n) => step(total, { plus: n }));
    expect(await run({ ...jobs }, chord(members, step(total, {}, PREVIOUS)))).toMatchObject({
      state: 'FAILURE',
      error: { message: expect.stringContaining('context.previous()') },
    });
    expect(await run({ ...jobs }, chord(members, step(total, { plus: 1 })))).toMatchObject({
      state: 'SUCCESS',
    });
    expect(seen).toEqual([members.map((_, n) => ({ sum: n }))]);
  });
});

describe('a definition', () => {
  test('is refused as a whole, with every wrong place named, and nothing of it is enqueued', async () => {
    const { client } = await openWorkflows();
    const wrong: WorkflowDefinition = {
      chain: [
        { task: 'total', payload: { plus: 'one' }, with: { of: '$previous' } },
        { group: [{ task: 'moody', payload: {} }, { task: 'nobody_knows' }] },
        { chord: { group: [], callback: { task: 'total', with: { of: 'previous' } } } },
        { task: 'total', options: { delay_ms: -1 } },
        { task: 'total', with: { plus: '$previous' }, payload: { of: 1, tenant_id: 'x' } },
      ],
    };
    const error: unknown = await client.workflows.start(wrong).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'invalid_workflow',
      problems: [
        { path: 'chain[0].with', message: expect.stringContaining('nothing runs before') },
        { path: 'chain[0].payload.plus' },
        { path: 'chain[1].group[0].payload.good' },
        { path: 'chain[1].group[1].task', message: expect.stringContaining('the tasks are: total, moody') },
        { path: 'chain[2].chord.callback.with.of', message: expect.stringContaining('$previous') },
        { path: 'chain[3].options.delay_ms' },
        { path: 'chain[4].payload.tenant_id' },
      ],
    });
    expect((await client.queues())[0]).toMatchObject({ normal: 0 });
    expect(await client.workflows.list()).toMatchObject({ workflows: [] });
  });

  test.each([
    ['no workflow at all', 7, ''],
    ['a chain without steps', { chain: [] }, 'chain'],
    ['a field that nobody knows', { group: [], other: 1 }, ''],
    ['too many members', { group: Array.from({ length: 10_001 }, () => ({ task: 'total' })) }, 'group'],
    ['an unknown queue', { task: 'foreign', queue: 'nowhere' }, 'queue'],
    [
      'a step of another tenant',
      { chain: [{ task: 'total', payload: { tenant_id: 2 } }] },
      'chain[0].payload',
    ],
  ])('is refused for %s', async (_what, definition, path) => {
    const { client } = await openWorkflows();
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as it comes from outside
    const started = client.workflows.start(definition as WorkflowDefinition, { tenant: 1 });
    await expect(started).rejects.toMatchObject({ code: 'invalid_workflow', problems: [{ path }] });
  });

  test('is refused when it is too deep', async () => {
    const { client } = await openWorkflows();
    let deep: WorkflowDefinition = step(total, {});
    for (let depth = 0; depth < 5_000; depth++) deep = { chain: [deep] };
    await expect(client.workflows.start(deep)).rejects.toThrow('at most 32 levels deep');
  });

  test('starts once for an id, however often it is started', async () => {
    const jobs = await openWorkflows();
    const { handlers, runs } = countedHandlers();
    jobs.worker(handlers);
    const definition = chain(step(total, { plus: 1 }), step(total, { plus: 1 }, PREVIOUS));
    const starts = await Promise.all(
      Array.from({ length: 8 }, () => jobs.client.workflows.start(definition, { id: 'w' })),
    );
    expect(starts.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    await jobs.client.workflows.result('w');
    await expect(jobs.client.workflows.start(definition, { id: 'w', tenant: 2 })).rejects.toThrow(
      'another tenant',
    );
    const other = chain(step(total, { plus: 9 }));
    expect(await jobs.client.workflows.start(other, { id: 'w' })).toEqual({ id: 'w', duplicate: true });
    expect(await jobs.client.workflows.start(definition, { id: 'w' })).toEqual({ id: 'w', duplicate: true });
    expect(await jobs.client.workflows.result('w')).toMatchObject({ result: { sum: 2 } });
    expect(runs).toEqual(
      new Map([
        ['w-1', 1],
        ['w-2', 1],
      ]),
    );
  });

  test('may be far larger than a message', async () => {
    const jobs = await openWorkflows();
    jobs.worker(HANDLERS, { concurrency: 32 });
    const filler = 'é'.repeat(20_000);
    const members = Array.from({ length: 40 }, (_, plus) => ({
      task: 'total',
      payload: { plus, of: filler },
    }));
    expect(
      await run(jobs, { chord: { group: members, callback: { task: 'total', with: { of: '$previous' } } } }),
    ).toMatchObject({
      result: { sum: 780 },
    });
  });
});

describe('a workflow in progress', () => {
  test('is cancelled: waiting steps are removed, running ones are signalled, none follow', async () => {
    const jobs = await openWorkflows();
    let told = false;
    jobs.worker(
      [
        handleTask(total, async (_payload, { signal }) => {
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          told = true;
          throw signal.reason;
        }),
      ],
      { concurrency: 1 },
    );
    const definition = chain(
      group(step(total, {}), step(total, {}), step(total, {}, { options: { delay_ms: 3_600_000 } })),
      step(total, {}),
    );
    const { id } = await jobs.client.workflows.start(definition);
    await waitFor('the first to run', async () => (await jobs.client.workflows.get(id))?.steps.STARTED === 1);
    expect(await jobs.client.workflows.cancel(id)).toBe('cancelled');
    expect(await jobs.client.workflows.result(id)).toMatchObject({ state: 'REVOKED' });
    await waitFor(
      'all to be revoked',
      async () => (await jobs.client.workflows.get(id))?.steps.REVOKED === 4,
    );
    await waitFor('the queue to be empty', async () => {
      const [queue] = await jobs.client.queues();
      return queue?.normal === 0 && queue.delayed === 0 && queue.running === 0;
    });
    expect(told).toBe(true);
    expect(await jobs.client.workflows.cancel(id)).toBe('ended');
    expect(await jobs.client.workflows.cancel('never-seen')).toBe('unknown');
  });

  test('can be started by a task, and belongs to its family', async () => {
    const jobs = await openWorkflows();
    jobs.worker([
      totalHandler,
      handleTask(moody, async (_payload, context) => {
        const { id } = await context.startWorkflow(step(total, { plus: 3 }), { id: `${context.id}-wf` });
        expect(context.workflow).toBeUndefined();
        expect(id).toBe('parent-wf');
        return { sum: 0 };
      }),
    ]);
    await jobs.client.enqueue(moody, { good: true }, { id: 'parent' });
    expect(await jobs.client.workflows.result('parent-wf')).toMatchObject({ result: { sum: 3 } });
    expect(await jobs.client.status('parent-wf-0')).toMatchObject({ parent_id: 'parent', root_id: 'parent' });
  });

  test('is listed, the newest first, page by page', async () => {
    const jobs = await openWorkflows();
    const ids = Array.from({ length: 7 }, (_, n) => `w${n}`);
    for (const [n, id] of ids.entries())
      await jobs.client.workflows.start(step(total, {}), { id, tenant: n % 2 });
    const found: string[] = [];
    let before: number | null = Infinity;
    while (before !== null) {
      const page: Awaited<ReturnType<typeof jobs.client.workflows.list>> = await jobs.client.workflows.list({
        limit: 3,
        before,
      });
      found.push(...page.workflows.map(({ id }) => id));
      before = page.next;
    }
    expect(found).toEqual(ids.toReversed());
    const ofOne = await jobs.client.workflows.list({ tenant: 1 });
    expect(ofOne.workflows.map(({ id }) => id)).toEqual(['w5', 'w3', 'w1']);
    expect((await jobs.client.workflows.list({ state: 'SUCCESS' })).workflows).toEqual([]);
  });

  test('is listed for its tenant without a look at those of others, and so is one that an earlier version has started', async () => {
    const jobs = await openWorkflows();
    const { client, connection, topology } = jobs;
    await client.workflows.start(step(total, {}), { id: 'own', tenant: 2 });
    for (let n = 0; n < 200; n++)
      await client.workflows.start(step(total, {}), { id: `other-${n}`, tenant: 1 });
    const { inMsgs, outMsgs } = connection.stats();
    const own = await client.workflows.list({ tenant: 2 });
    const after = connection.stats();
    expect(own.workflows.map(({ id }) => id)).toEqual(['own']);
    expect(after.outMsgs - outMsgs).toBeLessThan(10);
    expect(after.inMsgs - inMsgs).toBeLessThan(20);
    // As an earlier version leaves them.
    const { names } = topology;
    await (
      await jetstreamManager(connection)
    ).streams.purge(names.workflowStream, { filter: names.workflowKey('owner.>') });
    expect(await client.workflows.list({ tenant: 2 })).toMatchObject({ workflows: [] });
    const maintenance = createWorkflowMaintenance({ connection, topology, roundMs: 50 });
    maintenance.start();
    onTestFinished(() => maintenance.stop());
    await waitFor('the workflow in the list', async () => {
      const { workflows } = await client.workflows.list({ tenant: 2 });
      return workflows.length === 1 && workflows[0]?.id === 'own';
    });
  });

  test('an id that nobody has seen is unknown', async () => {
    const { client } = await openWorkflows();
    expect(await client.workflows.get('nobody')).toBeUndefined();
    await expect(client.workflows.result('nobody', { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'result_timeout',
    });
    await expect(client.workflows.previous('nobody', 1)).rejects.toMatchObject({ code: 'unknown_workflow' });
  });
});

/** As many members of a group run at once. */
const PORTION = 500;

describe('a large group', () => {
  const waiting = async ({ client }: Jobs): Promise<number> => (await client.queues())[0]?.normal ?? 0;
  const numbered = (count: number): ReturnType<typeof step>[] =>
    Array.from({ length: count }, (_, plus) => step(total, { plus }));

  test('starts in portions: what is enqueued after it waits for one portion, and all members run', async () => {
    const jobs = await openWorkflows();
    const members = numbered(PORTION + 120);
    const { id } = await jobs.client.workflows.start(chain(group(...members), step(total, {}, PREVIOUS)));
    expect(await waiting(jobs)).toBe(PORTION);
    const { handlers, runs } = countedHandlers();
    const neighbour = await jobs.client.enqueue(total, { plus: 1 });
    jobs.worker(handlers);
    expect(await jobs.client.workflows.result(id)).toMatchObject({
      state: 'SUCCESS',
      result: { sum: (members.length * (members.length - 1)) / 2 },
    });
    // Those behind it were started when others had ended.
    expect([...runs.keys()].indexOf(neighbour.id)).toBeLessThan(members.length - 1);
    expect(new Set(runs.values())).toEqual(new Set([1]));
    expect(runs.size).toBe(members.length + 2);
  });

  test.each([true, false])('goes on behind a failed member (tolerated: %s)', async (tolerateFailures) => {
    const jobs = await openWorkflows();
    jobs.worker(HANDLERS);
    const members = [step(moody, { good: false }), ...numbered(PORTION)];
    await jobs.client.workflows.start({ group: members, tolerate_failures: tolerateFailures }, { id: 'w' });
    const last = `w-${members.length}`;
    expect(await jobs.client.result(last)).toMatchObject({ state: 'SUCCESS' });
    const { state } = await jobs.client.workflows.result('w');
    expect(state).toBe(tolerateFailures ? 'SUCCESS' : 'FAILURE');
  });

  test('continues where a process died between the end of a member and the start of the next', async () => {
    const jobs = await openWorkflows();
    const { client, connection, topology } = jobs;
    const { names } = topology;
    jobs.worker(HANDLERS);
    const later = step(total, { plus: 1 }, { options: { delay_ms: 3_600_000 } });
    await client.workflows.start(group(...numbered(PORTION), later), { id: 'w' });
    const id = `w-${PORTION + 1}`;
    const { streams } = await jetstreamManager(connection);
    const delayed = { last_by_subj: names.delayedSubject('work', id) };
    const isThere = async (): Promise<boolean> =>
      (await streams.getMessage(names.queueStream('work'), delayed).catch(() => null)) !== null;
    await waitFor('the last member', isThere);
    await waitFor(
      'the others',
      async () => (await client.workflows.get('w'))?.steps?.['SUCCESS'] === PORTION,
    );
    // As if it had never been started.
    await streams.purge(names.queueStream('work'), { filter: names.delayedSubject('work', id) });
    await streams.purge(names.workflowStream, { filter: names.workflowKey(`entry.w.${PORTION + 1}`) });
    expect(await isThere()).toBe(false);
    openMaintenance(jobs);
    await waitFor('it again', isThere);
  });
});

const openMaintenance = ({ connection, topology }: Jobs): void => {
  const maintenance = createWorkflowMaintenance({
    connection,
    topology,
    contracts: [total, moody],
    roundMs: 50,
  });
  maintenance.start();
  onTestFinished(() => maintenance.stop());
};

describe('workflow maintenance', () => {
  test('starts a definition from any NATS client', async () => {
    const jobs = await openWorkflows();
    jobs.worker(HANDLERS);
    openMaintenance(jobs);
    const { prefix } = jobs.topology.names;
    const definition = {
      chain: [
        { task: 'total', payload: { plus: 4 } },
        { task: 'total', with: { of: '$previous' } },
      ],
    };
    await jetstream(jobs.connection).publish(`${prefix}.workflows.start.7.mine`, JSON.stringify(definition));
    expect(await jobs.client.workflows.result('mine')).toMatchObject({ tenant: '7', result: { sum: 4 } });
    expect(await jobs.client.status('mine-1')).toMatchObject({ tenant: '7' });
  });

  test.each([
    ['no JSON', '{', 'not JSON'],
    ['an unknown task', '{"task":"nobody_knows"}', 'task: there is no task'],
  ])('refuses %s where its author will look for it', async (_what, body, message) => {
    const jobs = await openWorkflows();
    openMaintenance(jobs);
    await jetstream(jobs.connection).publish(`${jobs.topology.names.prefix}.workflows.start._.mine`, body);
    expect(await jobs.client.workflows.result('mine')).toMatchObject({
      state: 'FAILURE',
      error: { type: 'InvalidWorkflowError', message: expect.stringContaining(message) },
    });
    expect(await jobs.client.workflows.get('mine')).toMatchObject({ tree: null });
  });

  test('enqueues a step again that has vanished from its queue', async () => {
    const jobs = await openWorkflows();
    const { id } = await jobs.client.workflows.start(
      chain(step(total, { plus: 1 }), step(total, {}, PREVIOUS)),
    );
    const { names } = jobs.topology;
    await jobs.connection.request(`$JS.API.STREAM.PURGE.${names.queueStream('work')}`);
    jobs.worker(HANDLERS);
    openMaintenance(jobs);
    expect(await jobs.client.workflows.result(id)).toMatchObject({ result: { sum: 1 } });
  });

  test('removes expired workflows only', async () => {
    const jobs = await openJobs({ workflowsExpireMs: 300 });
    jobs.worker(HANDLERS);
    const { client } = jobs;
    await run(jobs, step(total, {}), 'done');
    await run(jobs, step(moody, { good: false }), 'failed');
    await client.workflows.start(step(total, {}, { options: { delay_ms: 3_600_000 } }), { id: 'waiting' });
    openMaintenance(jobs);
    await waitFor('the end of it', async () => (await client.workflows.get('done')) === undefined);
    expect((await client.workflows.list()).workflows.map(({ id }) => id)).toEqual(['waiting', 'failed']);
    expect(await client.workflows.start(step(total, {}), { id: 'done' })).toMatchObject({ duplicate: false });
  });
});
