import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineTask, parsePayload } from './define-task.js';

const base = {
  name: 'pull',
  queue: 'sync',
  input: z.object({ tenant_id: z.int(), day: z.string() }),
  output: z.null(),
};

test('a payload that does not match names every field that is wrong', () => {
  const task = defineTask(base);
  expect(() => parsePayload(task, { tenant_id: 'x' })).toThrow(/tenant_id: .*; day: /);
  expect(() => parsePayload(task, 'text')).toThrow(/\(payload\)/);
  expect(parsePayload(task, { tenant_id: 1, day: 'd', extra: true })).toEqual({ tenant_id: 1, day: 'd' });
});

test('the tenant is the payload’s tenant_id, or derived by the contract', () => {
  expect(defineTask(base).tenantOf({ tenant_id: 7, day: 'd' })).toBe('7');
  expect(defineTask({ ...base, tenant: ({ day }) => day }).tenantOf({ tenant_id: 7, day: 'monday' })).toBe(
    'monday',
  );
  expect(() => defineTask({ ...base, tenant: () => 'a.b' }).tenantOf({ tenant_id: 7, day: 'd' })).toThrow(
    /tenant/,
  );
});

test('a contract that cannot work is refused', () => {
  expect(() => defineTask({ ...base, name: 'pull campaigns' })).toThrow(/name of a task/);
  expect(() => defineTask({ ...base, queue: '' })).toThrow(/queue of task "pull"/);
  expect(() => defineTask({ ...base, limits: { softTimeLimitMs: 10, timeLimitMs: 5 } })).toThrow(
    /softTimeLimitMs/,
  );
  expect(() => defineTask({ ...base, limits: { timeLimitMs: 0 } })).toThrow(/limits/);
});
