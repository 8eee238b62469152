import { expect, onTestFinished, test } from 'vitest';
import { startSandbox } from './server.js';

test('the commands on the page work as shown', async () => {
  const sandbox = await startSandbox({ now: () => new Date('2026-11-20T12:00:00Z') });
  onTestFinished(() => sandbox.stop());
  const page = async (): Promise<string> => (await fetch(sandbox.url)).text();
  const type = async (path: string, body: string): Promise<number> =>
    (
      await fetch(`${sandbox.url}${path}`, {
        method: 'POST',
        body,
        // What curl says of any body.
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      })
    ).status;

  const first = await page();
  const commands = [...first.matchAll(/curl localhost:(\d+)(\/_control\/\w+) -d '([^']+)'/g)];
  expect(commands.map(([, port, path]) => `${port}${path}`)).toEqual(
    ['/_control/faults', '/_control/clock'].map((path) => `${new URL(sandbox.url).port}${path}`),
  );
  expect(first).toContain('No fault is to come');
  expect(first).toContain('2026-11-20');
  for (const [, , path = '', body = ''] of commands) expect(await type(path, body)).toBeLessThan(300);

  const second = await page();
  expect(second).toContain('<code>rate_limit</code> of meta (1)');
  expect(second).toContain('2026-11-21');
  await fetch(`${sandbox.url}/_control/faults`, { method: 'DELETE' });
  expect(await page()).toContain('No fault is to come');

  expect(await type('/_control/faults', '{"platform": "meta"}')).toBe(422);
  expect(await type('/_control/faults', '{"platform"')).toBe(400);
});
