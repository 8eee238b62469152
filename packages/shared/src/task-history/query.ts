/** The language of searches: `state:failure queue:sync label.campaign:17 slow:>10s`. Every part narrows the search; commas mean "or". */
import { EVENT_STATES } from '@stratum/jobs';
import { STATE_CODES } from './rows.js';
import type { RunState } from './run.js';

/** What is searched for; an absent part matches everything. */
export interface TaskQuery {
  states?: RunState[];
  queues?: string[];
  /** Names, or beginnings of names where they end in `*`. */
  tasks?: string[];
  tenants?: string[];
  workers?: string[];
  /** Part of an error's message. */
  error?: string;
  groups?: string[];
  labels?: Record<string, string>;
  ids?: string[];
  idPrefix?: string;
  workflow?: string;
  schedule?: string;
  trace?: string;
  slowerMs?: number;
  moreRetries?: number;
  /** Free words: parts of task names, or beginnings of ids. */
  words?: string[];
}

/** A search that cannot be understood, and the part that is the reason. */
export class QueryError extends Error {
  readonly code = 'invalid_query';

  constructor(
    readonly part: string,
    message: string,
  ) {
    super(`${part}: ${message}`);
    this.name = 'QueryError';
  }
}

const MAX_LENGTH = 1_000;
const MAX_PARTS = 30;
/** A part; its value may be in double quotes. */
const PART = /(?:([a-z_]+(?:\.[\w-]+)?):)?("(?:[^"\\]|\\.)*"|\S+)/g;
const TOKEN = /^[\w*-]{1,100}$/;

type Reader = (query: TaskQuery, value: string, part: string) => void;

/** Keys with their meaning: also what the page completes and explains. */
export const QUERY_KEYS = {
  state: 'State: success, failure, retry, started, scheduled, queued, revoked, expired',
  queue: 'Queue',
  task: 'Task name; sync_* matches a beginning',
  tenant: 'Tenant id',
  worker: 'Worker name',
  error: 'Part of the error message',
  group: 'Error group',
  label: 'A label: label.campaign:17',
  id: 'Beginning of the task id',
  workflow: 'Workflow id',
  schedule: 'Schedule entry',
  slow: 'Ran longer than: slow:>10s',
  retries: 'More retries than: retries:>2',
  trace: 'Trace id',
} as const;

const READERS: Readonly<Record<keyof typeof QUERY_KEYS, Reader>> = {
  state: (query, value, part) => {
    query.states = value.split(',').map((each) => stateOf(each, part));
  },
  queue: (query, value, part) => (query.queues = tokens(value, part)),
  task: (query, value, part) => (query.tasks = tokens(value, part)),
  tenant: (query, value, part) => {
    query.tenants = tokens(value, part).map((each) => {
      if (!/^\d{1,15}$/.test(each)) throw new QueryError(part, 'a tenant is a number');
      return String(Number(each));
    });
  },
  worker: (query, value) => (query.workers = value.split(',').slice(0, MAX_PARTS)),
  error: (query, value, part) => {
    if (value.length < 3) throw new QueryError(part, 'give at least three characters of the message');
    query.error = value;
  },
  group: (query, value, part) => {
    query.groups = value.split(',').map((each) => {
      if (!/^-?\d{1,19}$/.test(each) || BigInt.asIntN(64, BigInt(each)) !== BigInt(each))
        throw new QueryError(part, 'not the number of an error group');
      return each;
    });
  },
  label: (_query, _value, part) => {
    throw new QueryError(part, 'name the label: label.campaign:17');
  },
  id: (query, value, part) => (query.idPrefix = idPrefix(value, part)),
  workflow: (query, value) => (query.workflow = value),
  schedule: (query, value) => (query.schedule = value),
  slow: (query, value, part) => (query.slowerMs = durationMs(value, part)),
  retries: (query, value, part) => {
    const [, count] = /^>(\d{1,6})$/.exec(value) ?? [];
    if (count === undefined) throw new QueryError(part, 'write retries:>2');
    query.moreRetries = Number(count);
  },
  trace: (query, value) => (query.trace = value),
};

/** @throws QueryError that names the part */
export function parseQuery(text: string): TaskQuery {
  if (text.length > MAX_LENGTH) throw new QueryError('search', `longer than ${MAX_LENGTH} characters`);
  const query: TaskQuery = {};
  const seen = new Set<string>();
  const parts = [...text.matchAll(PART)];
  if (parts.length > MAX_PARTS) throw new QueryError('search', `more than ${MAX_PARTS} parts`);
  for (const [part, key, quoted = ''] of parts) {
    const value = quoted.startsWith('"') ? quoted.slice(1, -1).replaceAll(/\\(.)/g, '$1') : quoted;
    if (key === undefined) {
      query.words = [...(query.words ?? []), value];
      continue;
    }
    if (seen.has(key)) throw new QueryError(part, `${key} is given twice`);
    seen.add(key);
    readPart(query, key, value, part);
  }
  return query;
}

function readPart(query: TaskQuery, key: string, value: string, part: string): void {
  const [, label] = /^label\.([\w-]+)$/.exec(key) ?? [];
  if (label !== undefined) query.labels = { ...query.labels, [label]: value };
  else if (isKey(key)) READERS[key](query, value, part);
  else throw new QueryError(part, `unknown key "${key}". Known: ${Object.keys(QUERY_KEYS).join(', ')}`);
}

function isKey(key: string): key is keyof typeof QUERY_KEYS {
  return Object.hasOwn(READERS, key);
}

function stateOf(text: string, part: string): RunState {
  const state = EVENT_STATES.find((each) => each === text.toUpperCase());
  if (state === undefined || state === 'SKIPPED')
    throw new QueryError(part, `the states are ${Object.keys(STATE_CODES).join(', ').toLowerCase()}`);
  return state;
}

function tokens(value: string, part: string): string[] {
  const all = value.split(',');
  if (all.length > MAX_PARTS || !all.every((each) => TOKEN.test(each)))
    throw new QueryError(part, 'give one name, or several with commas between them');
  return all;
}

/** Whether a task is one of the search's. A star at the end stands for anything. */
export function isTaskOf(patterns: readonly string[] | undefined, task: string): boolean {
  return (
    patterns === undefined ||
    patterns.some((pattern) =>
      pattern.endsWith('*') ? task.startsWith(pattern.slice(0, -1)) : pattern === task,
    )
  );
}

function idPrefix(value: string, part: string): string {
  if (!/^[\w-]{1,64}$/.test(value)) throw new QueryError(part, 'an id has letters, digits, _ and - only');
  return value;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

function durationMs(value: string, part: string): number {
  const [, count, unit = ''] = /^>(\d{1,9})(ms|s|m|h)$/.exec(value) ?? [];
  const length = UNITS[unit];
  if (count === undefined || length === undefined) throw new QueryError(part, 'write slow:>10s');
  return Number(count) * length;
}
