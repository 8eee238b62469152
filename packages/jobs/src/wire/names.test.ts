import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { namesFor, PRIORITIES, requireToken } from './names.js';

const token = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);

describe('the subject of a task', () => {
  const names = namesFor();

  test('is the one of the wire contract', () => {
    const subject = {
      queue: 'sync',
      priority: 'high',
      tenant: '1',
      task: 'sync_campaign_data',
      id: 'a',
    } as const;
    expect(names.taskSubject(subject)).toBe('stratum.tasks.sync.high.1.sync_campaign_data.a');
    expect(names.taskSubject({ ...subject, tenant: undefined })).toBe(
      'stratum.tasks.sync.high._.sync_campaign_data.a',
    );
  });

  test('is read back as it was written', () => {
    fc.assert(
      fc.property(
        fc.record({
          queue: token,
          priority: fc.constantFrom(...PRIORITIES),
          tenant: fc.option(
            token.filter((text) => text !== '_'),
            { nil: undefined },
          ),
          task: token,
          id: token,
        }),
        (subject) => {
          expect(names.parseTaskSubject(names.taskSubject(subject))).toEqual(subject);
        },
      ),
    );
  });

  test.each([
    'stratum.tasks.sync.high.1.task',
    'stratum.tasks.sync.high.1.task.id.more',
    'stratum.tasks.sync.urgent.1.task.id',
    'stratum.tasks.sync.high..task.id',
    'other.tasks.sync.high.1.task.id',
    '',
  ])('%j is none', (subject) => {
    expect(names.parseTaskSubject(subject)).toBeUndefined();
  });
});

describe('the subject of a workflow to start', () => {
  const names = namesFor();

  test('says whose it is', () => {
    for (const tenant of [undefined, '7'])
      expect(names.parseWorkflowStart(names.workflowStartSubject(tenant, 'w'))).toEqual({ tenant, id: 'w' });
  });

  test.each([
    'stratum.workflows.start.w',
    'stratum.workflows.start.1.w.more',
    'stratum.workflows.state.w',
    '',
  ])('%j is none', (subject) => {
    expect(names.parseWorkflowStart(subject)).toBeUndefined();
  });
});

describe('streams and buckets', () => {
  test('have the plain names of the contract under the default prefix', () => {
    const names = namesFor();
    expect([
      names.queueStream('sync'),
      names.deadStream,
      names.eventStream,
      names.resultBucket,
      names.laneConsumer('sync', 'low'),
    ]).toEqual(['QUEUE_SYNC', 'DEAD_LETTERS', 'TASK_EVENTS', 'task_results', 'sync-low']);
  });

  test('of another prefix share no name with it', () => {
    const own = namesFor('acme');
    const plain = namesFor();
    expect(own.queueStream('sync')).toBe('acme_QUEUE_SYNC');
    for (const key of ['deadStream', 'eventStream', 'resultBucket', 'resultStream', 'deadFilter'] as const)
      expect(own[key]).not.toBe(plain[key]);
  });
});

test('a token that is invalid in a subject is refused with its field', () => {
  for (const value of ['', 'a.b', 'a b', 'a*', '>', 'ä', 'x'.repeat(65)])
    expect(() => requireToken(value, 'id')).toThrow(/^id is /);
});
