import type { FastifyRequest } from 'fastify';
import { expect, test } from 'vitest';
import { FailedAttempts } from './failed-attempts.js';

const MINUTE_MS = 60_000;

function from(ip: string): FastifyRequest {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- all of a request that is looked at
  return { ip, log: { warn: () => undefined } } as unknown as FastifyRequest;
}

test('an address regains its allowance gradually, and learns when it has some', () => {
  let now = 0;
  const attempts = new FailedAttempts(6, () => now);
  const request = from('192.0.2.1');
  for (let time = 0; time < 6; time++) attempts.failed(request, 'wrong');
  expect(() => attempts.admit(request, 'any')).toThrow(
    expect.objectContaining({ kind: 'rate-limited', options: { retryAfter: 10 } }),
  );
  now += 9_999;
  expect(() => attempts.admit(request, 'any')).toThrow(
    expect.objectContaining({ options: { retryAfter: 1 } }),
  );
  now += 1;
  attempts.admit(request, 'any');
  attempts.failed(request, 'any');
  expect(() => attempts.admit(request, 'any')).toThrow(
    'Too many requests from this address had no valid key',
  );
  now += MINUTE_MS;
  for (let time = 0; time < 6; time++) attempts.failed(request, 'wrong');
  expect(() => attempts.admit(request, 'any')).toThrow(
    'Too many requests from this address had no valid key',
  );
});

test('a key that worked within the hour is let through, until it fails itself', () => {
  let now = 0;
  const attempts = new FailedAttempts(1, () => now);
  const request = from('192.0.2.1');
  attempts.succeeded('good');
  attempts.failed(request, 'wrong');
  attempts.admit(request, 'good');
  attempts.failed(request, 'good');
  expect(() => attempts.admit(request, 'good')).toThrow(
    'Too many requests from this address had no valid key',
  );
  attempts.succeeded('good');
  now += 61 * MINUTE_MS;
  attempts.failed(request, 'wrong');
  expect(() => attempts.admit(request, 'good')).toThrow(
    'Too many requests from this address had no valid key',
  );
});

test('addresses are remembered up to a number; the longest unseen is forgotten', () => {
  const attempts = new FailedAttempts(1, () => 0);
  attempts.failed(from('192.0.2.1'), undefined);
  for (let host = 0; host < 9_999; host++)
    attempts.failed(from(`10.0.${host >> 8}.${host & 255}`), undefined);
  expect(() => attempts.admit(from('192.0.2.1'), undefined)).toThrow(
    'Too many requests from this address had no valid key',
  );
  attempts.failed(from('198.51.100.1'), undefined);
  attempts.admit(from('192.0.2.1'), undefined);
});
