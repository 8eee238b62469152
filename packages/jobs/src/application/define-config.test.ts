import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { defineTask } from '../task/define-task.js';
import type { TaskContract } from '../task/define-task.js';
import { defineConfig, type StratumConfigOptions } from './define-config.js';

const mail = defineTask({
  name: 'mail',
  queue: 'letters',
  input: z.object({ to: z.string() }),
  output: z.object({ sent: z.boolean() }),
});
const other = defineTask({ name: 'other', queue: 'elsewhere', input: z.object({}), output: z.null() });

const valid: StratumConfigOptions = {
  prefix: 'own',
  queues: [{ name: 'letters' }],
  tasks: [mail],
  schedules: [{ name: 'nightly', task: 'mail', payload: { to: 'ada' }, cron: '0 3 * * *' }],
};

test('a configuration holds everything that the programs need, and its options', () => {
  const config = defineConfig({ ...valid, tenantTasks: [mail] });
  expect(config.topology.names.prefix).toBe('own');
  expect(config.topology.queues).toEqual([{ name: 'letters', weight: 'normal', shards: 1, drain: 0 }]);
  expect(config.tasks).toEqual([mail]);
  expect(config.tenantTasks).toEqual([mail]);
  expect(config.schedules).toEqual(valid.schedules);
  expect(defineConfig(config.options)).toMatchObject({ options: config.options });
  expectTypeOf(config.tasks).toEqualTypeOf<readonly TaskContract[]>();
  expect(defineConfig({ queues: [{ name: 'letters' }], tasks: [] })).toMatchObject({
    schedules: [],
    tenantTasks: [],
  });
});

describe('a wrong configuration is refused with the field', () => {
  test.each<[string, object, RegExp]>([
    ['no queues', { queues: [] }, /- queues: /],
    ['queues left out', { queues: undefined }, /- queues: is missing/],
    ['a prefix of two words', { prefix: 'two words' }, /- prefix: must be 1 to 64 characters/],
    ['a queue without a name', { queues: [{}] }, /- queues\[0\]\.name: is missing/],
    [
      'a queue twice',
      { queues: [{ name: 'letters' }, { name: 'letters' }] },
      /queues\[1\]\.name: "letters" is used twice/,
    ],
    [
      'a handler in place of a contract',
      { tasks: [{ name: 'mail' }] },
      /- tasks\[0\]: must be a contract made by defineTask/,
    ],
    ['a task twice', { tasks: [mail, mail] }, /tasks\[1\]\.name: "mail" is used twice/],
    [
      'a task of an unknown queue',
      { tasks: [mail, other] },
      /tasks\[1\]\.queue: task "other" has the queue "elsewhere", but the queues are: letters/,
    ],
    [
      'a field that there is not',
      { queue: 'letters' },
      /unknown field "queue"; the fields are: prefix, queues, tasks/,
    ],
    ['replicas as text', { replicas: '3' }, /- replicas: /],
    [
      'a schedule of an unknown task',
      { schedules: [{ name: 'n', task: 'male', cron: '* * * * *' }] },
      /schedules\[0\]: Schedule entry "n": task: there is no task "male"/,
    ],
    [
      'a schedule with a wrong payload',
      { schedules: [{ name: 'n', task: 'mail', cron: '* * * * *' }] },
      /schedules\[0\]: .*to: /,
    ],
    [
      'a schedule without times',
      { schedules: [{ name: 'n', task: 'mail', payload: { to: 'a' } }] },
      /schedules\[0\]: .*give either cron or every_ms/,
    ],
    [
      'a task of tenants that is no task',
      { tenantTasks: [other] },
      /tenantTasks\[0\]: task "other" is missing from tasks/,
    ],
  ])('%s', (_case, change, message) => {
    const options: StratumConfigOptions = { ...valid, ...change };
    expect(() => defineConfig(options)).toThrow(message);
    expect(() => defineConfig(options)).toThrow(expect.objectContaining({ code: 'invalid_configuration' }));
  });

  test('with every wrong field at once', () => {
    expect(() => defineConfig({ ...valid, tasks: [other], prefix: '' })).toThrow(/prefix/);
    expect(() => defineConfig({ ...valid, tasks: [mail, mail, other] })).toThrow(/tasks\[1\][^]*tasks\[2\]/);
  });
});
