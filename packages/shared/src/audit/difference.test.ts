import { expect, test } from 'vitest';
import { differenceOf } from './difference.js';

test('the fields that differ are shown, before and after', () => {
  const before = { name: 'a', status: 'active', tags: ['x'] };
  expect(differenceOf(before, { ...before, status: 'paused' })).toEqual({
    before: { status: 'active' },
    after: { status: 'paused' },
  });
  expect(differenceOf(undefined, { name: 'a', note: undefined })).toEqual({
    before: null,
    after: { name: 'a' },
  });
});

test.each(['secret', 'accessToken', 'app_password', 'Authorization', 'payload'])(
  'the value of %s is masked wherever it is',
  (name) => {
    const difference = differenceOf(
      { settings: { [name]: 'hunter2' } },
      { [name]: 'hunter3', list: [{ [name]: 'hunter4' }], settings: { [name]: null } },
    );
    expect(JSON.stringify(difference)).not.toMatch(/hunter/);
  },
);
