/** Reads cron expressions: five fields (minute hour day month weekday), or six with seconds first; lists, ranges, steps, names, presets. */

/** The values that match, in ascending order. */
export interface CronFields {
  second: readonly number[];
  minute: readonly number[];
  hour: readonly number[];
  dayOfMonth: readonly number[];
  /** 1 is January. */
  month: readonly number[];
  /** 0 is Sunday. */
  dayOfWeek: readonly number[];
  /** Whether the hour field is a wild card, or names every hour. Such an entry follows the clock when it changes. */
  anyHour: boolean;
}

interface Field {
  name: string;
  low: number;
  high: number;
}

const FIELDS = [
  { name: 'second', low: 0, high: 59 },
  { name: 'minute', low: 0, high: 59 },
  { name: 'hour', low: 0, high: 23 },
  { name: 'day of the month', low: 1, high: 31 },
  { name: 'month', low: 1, high: 12 },
  // 7 is Sunday as well.
  { name: 'day of the week', low: 0, high: 7 },
] as const satisfies readonly Field[];

const PRESETS: ReadonlyMap<string, string> = new Map([
  ['@yearly', '0 0 0 1 1 *'],
  ['@monthly', '0 0 0 1 * *'],
  ['@weekly', '0 0 0 * * 0'],
  ['@daily', '0 0 0 * * *'],
  ['@hourly', '0 0 * * * *'],
  ['@minutely', '0 * * * * *'],
  ['@secondly', '* * * * * *'],
  ['@weekdays', '0 0 0 * * 1-5'],
  ['@weekends', '0 0 0 * * 0,6'],
]);

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const NAMES: ReadonlyMap<string, number> = new Map([
  ...MONTHS.map((name, index) => [name, index + 1] as const),
  ...WEEKDAYS.map((name, index) => [name, index] as const),
]);

const ITEM = /^(?:\*|(\d{1,4})(?:-(\d{1,4}))?)(?:\/(\d{1,4}))?$/;

/** An expression that cannot be read. The message names the field. */
class CronSyntaxError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CronSyntaxError';
  }
}

/** @throws CronSyntaxError */
export function parseCron(expression: string): CronFields {
  const text = expression.trim().toLowerCase();
  const fields = (PRESETS.get(text) ?? text).split(/\s+/);
  if (fields.length < 5) throw new CronSyntaxError('too few fields');
  if (fields.length > 6) throw new CronSyntaxError('too many fields');
  const [second = '', minute = '', hour = '', dayOfMonth = '', month = '', dayOfWeek = ''] =
    fields.length === 5 ? ['0', ...fields] : fields;
  const [seconds, minutes, hours, days, months, weekdays] = FIELDS;
  const hourValues = valuesOf(hour, hours);
  return {
    second: valuesOf(second, seconds),
    minute: valuesOf(minute, minutes),
    hour: hourValues,
    dayOfMonth: valuesOf(dayOfMonth, days),
    month: valuesOf(month, months),
    dayOfWeek: sorted(valuesOf(dayOfWeek, weekdays).map((day) => day % 7)),
    anyHour: hour.startsWith('*') || hourValues.length === 24,
  };
}

function valuesOf(text: string, field: Field): number[] {
  return sorted(text.split(',').flatMap((item) => valuesOfItem(item, field)));
}

function valuesOfItem(item: string, { name, low, high }: Field): number[] {
  const [whole, first, last, stepText] = ITEM.exec(withoutNames(item)) ?? [];
  if (whole === undefined) throw new CronSyntaxError(`${name}: "${item}" is no value, range or step`);
  const step = Number(stepText ?? 1);
  if (step === 0) throw new CronSyntaxError(`${name}: "${item}" has a step of zero`);
  const from = first === undefined ? low : Number(first);
  let to = high;
  if (last !== undefined) to = Number(last);
  else if (first !== undefined && stepText === undefined) to = from;
  if (from < low || to > high || from > to)
    throw new CronSyntaxError(`${name}: "${item}" is not within ${low}–${high}`);
  const values: number[] = [];
  for (let value = from; value <= to; value += step) values.push(value);
  return values;
}

function withoutNames(item: string): string {
  return item.replaceAll(/[a-z]+/g, (name) => String(NAMES.get(name) ?? name));
}

function sorted(values: readonly number[]): number[] {
  return [...new Set(values)].toSorted((a, b) => a - b);
}
