import { expect, test } from 'vitest';
import { Admission } from './admission.js';

test('one endpoint is limited per second; others have limits of their own', async () => {
  let now = 10_000;
  const admission = new Admission(3, () => now);
  const admit = (id: string): Promise<string> => admission.admit(id, 1, async () => id);
  for (let time = 0; time < 3; time++) await admit('a');
  await expect(admit('a')).rejects.toMatchObject({ kind: 'rate-limited', options: { retryAfter: 1 } });
  expect(await admit('b')).toBe('b');
  now += 1_000;
  expect(await admit('a')).toBe('a');
});

test('requests in progress are bounded in number and bytes, and make room however they end', async () => {
  const admission = new Admission(1_000_000);
  const endings: (() => void)[] = [];
  const hold = (size: number): Promise<void> =>
    admission.admit('a', size, () => new Promise<void>((resolve) => endings.push(resolve)));
  const held = Array.from({ length: 2_000 }, () => hold(1));
  await expect(hold(1)).rejects.toMatchObject({ kind: 'unavailable', options: { retryAfter: 1 } });
  for (const end of endings.splice(0)) end();
  await Promise.all(held);

  const large = hold(67_108_864);
  await expect(hold(1)).rejects.toMatchObject({ kind: 'unavailable' });
  for (const end of endings.splice(0)) end();
  await large;
  await expect(
    admission.admit('a', 67_108_864, async () => Promise.reject(new Error('broken'))),
  ).rejects.toThrow('broken');
  expect(await admission.admit('a', 67_108_864, async () => 'in')).toBe('in');
});
