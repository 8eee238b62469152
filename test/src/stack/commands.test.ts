/** The `stratum` command against a running stack. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { LocalStack } from './local-stack.js';

const recordSchema = z.looseObject({ id: z.string(), state: z.string(), task: z.string() });

test('a person can follow a task from call to result', async () => {
  const stack = await LocalStack.create();
  const up = stack.up();
  const addresses = await stack.started(up);
  const stratum = async (args: readonly string[]): Promise<{ code: number | null; output: string }> => {
    const program = stack.run(args);
    return { code: await program.exited(), output: program.output() };
  };
  const payload = '{"tenant_id":1,"platform":"meta"}';

  const called = await stratum([
    'call',
    'sync_campaign_data',
    payload,
    '--id',
    'by-hand',
    '--wait',
    '--json',
  ]);
  expect(called).toMatchObject({ code: 0 });
  expect(recordSchema.parse(JSON.parse(called.output))).toMatchObject({ id: 'by-hand', state: 'SUCCESS' });

  const found = await stratum(['result', 'by-hand']);
  expect(found.code).toBe(0);
  expect(found.output).toContain('SUCCESS');
  expect(found.output).toContain('campaigns_updated');

  const later = await stratum(['call', 'sync_campaign_data', payload, '--id', 'later', '--delay', '1h']);
  expect(later.code).toBe(0);
  expect((await stratum(['result', 'later', '--json'])).output).toContain('"SCHEDULED"');
  const queues = await stratum(['queues', '--json']);
  expect(JSON.parse(queues.output)).toContainEqual(expect.objectContaining({ queue: 'sync', delayed: 1 }));

  const status = await stratum(['status', '--json']);
  expect(JSON.parse(status.output)).toMatchObject({ running: true, ...addresses });
  const shown = await stratum(['status']);
  expect(shown.output).toContain(addresses.sandbox);
  expect(shown.output).not.toContain(new URL(addresses.database).password);

  const wrong = await stratum(['call', 'sync_campaign_data', '{"tenant_id":"one"}']);
  expect(wrong.code).toBe(1);
  expect(wrong.output).toMatch(/tenant_id: .*platform: /s);
  expect(await stratum(['call', 'no_such_task', '{}'])).toMatchObject({
    code: 1,
    output: expect.stringContaining('sync_campaign_data'),
  });
  expect((await stratum(['result', 'never-seen'])).code).toBe(1);

  const migrated = await stratum(['migrate']);
  const seeded = await stratum(['seed']);
  expect([migrated.code, seeded.code]).toEqual([0, 0]);
  expect(await up.kill('SIGINT')).toBe(0);
});

test('without a stack it says what to do', async () => {
  const stack = await LocalStack.create();
  const program = stack.run(['status']);
  expect(await program.exited()).toBe(1);
  expect(program.output()).toContain('npm start');
});
