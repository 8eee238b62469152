import { headers as newHeaders } from '@nats-io/nats-core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  carryHeaders,
  formatScheduledBy,
  formatSeconds,
  formatWorkflowPointer,
  headerText,
  readTaskHeaders,
  TaskHeader,
} from './headers.js';

const withHeader = (name: string, value: string): ReturnType<typeof newHeaders> => {
  const headers = newHeaders();
  headers.set(name, value);
  return headers;
};

describe('reading the headers of a message', () => {
  test('none at all is a first attempt with the settings of its contract', () => {
    expect(readTaskHeaders(undefined)).toMatchObject({
      retries: 0,
      maxRetries: undefined,
      expires: undefined,
    });
  });

  test('time limits are seconds on the wire and milliseconds in the program', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000_000 }), (milliseconds) => {
        const headers = withHeader(TaskHeader.TimeLimit, formatSeconds(milliseconds));
        expect(readTaskHeaders(headers).timeLimitMs).toBe(milliseconds);
      }),
    );
  });

  test('a value that does not parse counts as absent', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z!-]{0,12}$/), (text) => {
        const headers = newHeaders();
        for (const name of Object.values(TaskHeader)) headers.set(name, text);
        expect(readTaskHeaders(headers)).toMatchObject({
          retries: 0,
          maxRetries: undefined,
          timeLimitMs: undefined,
          expires: undefined,
          scheduledBy: undefined,
          traceParent: undefined,
          traceState: undefined,
        });
      }),
    );
  });

  test('the schedule entry and its tick come back', () => {
    const scheduledBy = { entry: 'sync-all', tick: new Date('2026-11-24T03:00:00.000Z') };
    const headers = withHeader(TaskHeader.ScheduledBy, formatScheduledBy(scheduledBy));
    expect(readTaskHeaders(headers).scheduledBy).toEqual(scheduledBy);
  });
});

test('a workflow pointer survives the round trip, and any other text is no pointer', () => {
  const pointer = { workflow: 'report-7', node: 12 };
  const headers = withHeader(TaskHeader.Workflow, formatWorkflowPointer(pointer));
  expect(readTaskHeaders(headers).workflow).toEqual(pointer);
  for (const text of ['report-7', 'report-7 x', 'a.b 1', '7 8 9', `${'x'.repeat(59)} 1`])
    expect(readTaskHeaders(withHeader(TaskHeader.Workflow, text)).workflow).toBeUndefined();
});

test('headers that spoke to the server are not carried on', () => {
  const headers = withHeader('Nats-Msg-Id', 'x');
  headers.set('nats-schedule', '@at 2026-01-01T00:00:00Z');
  headers.append('X-Own', 'one');
  headers.append('X-Own', 'two');
  const copy = carryHeaders(headers);
  expect([...copy].map(([name]) => name)).toEqual(['X-Own']);
  expect(copy.values('X-Own')).toEqual(['one', 'two']);
});

test('any text becomes one bounded line', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const line = headerText(text, 20);
      expect(line.length).toBeLessThanOrEqual(20);
      expect(line).not.toMatch(/[\r\n]/);
    }),
  );
});
