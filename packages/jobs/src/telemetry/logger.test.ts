import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonLogger, LOG_LEVELS, parseLogLine, standardErrorLogger } from './logger.js';

function recorded(level: string): { lines: string[]; logger: ReturnType<typeof jsonLogger> } {
  const lines: string[] = [];
  return { lines, logger: jsonLogger({ level, write: (line) => lines.push(line) }) };
}

test('a line has the fields of pino, those of its parents, and errors with type and stack', () => {
  const { lines, logger } = recorded('info');
  const failure = new TypeError('boom', { cause: new Error('deeper') });
  logger.child({ worker: 'w' }).child({ id: '1' }).error({ err: failure }, 'task failed');
  logger.info('started');
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    {
      level: 50,
      time: expect.any(Number),
      worker: 'w',
      id: '1',
      err: expect.objectContaining({
        type: 'TypeError',
        message: 'boom',
        stack: expect.stringContaining('logger.test'),
        cause: expect.objectContaining({ message: 'deeper' }),
      }),
      msg: 'task failed',
    },
    { level: 30, time: expect.any(Number), msg: 'started' },
  ]);
});

test.each(Object.keys(LOG_LEVELS))('%s is written from its level on, and not above', (name) => {
  const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
  for (const level of levels) {
    const { lines, logger } = recorded(level);
    for (const each of levels) logger[each]('x');
    const written = lines.map((line) => parseLogLine(line).level);
    expect(written.includes(levels.find((each) => each === name) ?? 'info')).toBe(
      levels.indexOf(level) <= levels.findIndex((each) => each === name),
    );
  }
});

test('silence is silent, and the default begins at warnings', () => {
  const { lines, logger } = recorded('silent');
  logger.fatal('x');
  expect(lines).toEqual([]);
  expect(standardErrorLogger().level).toBe('warn');
});

test('whatever is logged, the line is JSON and nothing is thrown', () => {
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  const { lines, logger } = recorded('info');
  logger.warn({ circle, size: 1n }, 'odd');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ msg: 'odd', level: 40 });
  fc.assert(
    fc.property(fc.object({ withBigInt: true, withDate: true }), fc.string(), (fields, message) => {
      logger.info(fields, message);
      expect(() => void JSON.parse(lines.at(-1) ?? '')).not.toThrow();
    }),
  );
});
