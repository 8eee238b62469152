import { expect, test } from 'vitest';
import { SERVICES } from '../services.js';
import { metricsPorts } from './metrics-ports.js';

test('no two services take the same port of a range, and each may run several times', () => {
  const all = SERVICES.flatMap((service) => metricsPorts({ first: 9100, last: 9199 }, service));
  expect(new Set(all).size).toBe(100);
  expect(all).toHaveLength(100);
  for (const service of SERVICES)
    expect(metricsPorts({ first: 9100, last: 9199 }, service).length).toBeGreaterThan(10);
});

test('a single port is every service’s, a range may be too short for some', () => {
  for (const service of SERVICES) expect(metricsPorts({ first: 9464, last: 9464 }, service)).toEqual([9464]);
  expect(metricsPorts({ first: 9100, last: 9101 }, SERVICES[2] ?? 'api')).toEqual([]);
});
