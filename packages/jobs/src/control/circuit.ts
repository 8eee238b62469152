/**
 * The circuit of an outside service, as one entry in the control bucket, which every worker follows. Times by the broker's clock, in milliseconds
 * since 1970.
 *
 *     closed ── failures ──▶ open ── pause is over ──▶ probes try the service ──┬ success ──▶ closed, and those who wait are woken
 *                             ▲                                                 │
 *                             └──────────────── a longer pause ◀── failure ─────┘
 */
import type { CircuitSettings } from '../task/breaker.js';
import { cut, fieldOf } from '../values/any-value.js';
import { flatJson } from '../values/flat-json.js';
import { readHolders, type Holder } from './holder.js';

/** The broker's clock, as two workers know it, differs by less than this, in milliseconds. */
const CLOCKS_DIFFER_MS = 1_000;
/** Of those who wait, so many are on their way at first; twice as many each time. */
const FIRST_WAKE = 5;
const MOST_AWAKE = 500;
/** Between two portions of those who wait, in milliseconds. */
const WAKE_EVERY_MS = 1_000;
/** An open circuit that nobody has tried for so long after its pause is forgotten, in milliseconds. */
export const OPEN_KEPT_MS = 86_400_000;
/** A closed circuit is kept for so long beyond its window. */
const CLOSED_KEPT_MS = 60_000;
const MAX_ERROR = 200;

interface CircuitFields {
  service: string;
  /** For people; empty: the service has one circuit. */
  key: string;
  /** `held`: opened by an operator, until one closes it. */
  state: 'closed' | 'open' | 'held';
  /** Since `since`, the begin of the window; a success takes one back, so that some failures among many successes open nothing. */
  failures: number;
  since: number;
  opened_at: number;
  /** Openings since the service last did well for a whole window. */
  openings: number;
  /** End of the pause; 0: none. */
  until: number;
  /** Those who wait: how many may be on their way at once, 0 for none, and when that is raised. */
  wake: number;
  wake_at: number;
  /** The newest failure. */
  error: string;
}
const circuitFields = flatJson<CircuitFields>({
  service: 'string',
  key: 'string',
  state: ['closed', 'open', 'held'],
  failures: 'integer',
  since: 'number',
  opened_at: 'number',
  openings: 'integer',
  until: 'number',
  wake: 'integer',
  wake_at: 'number',
  error: 'string',
});

export interface CircuitEntry extends CircuitFields {
  /** Tasks that try the service. */
  probes: readonly Holder[];
}

export type CircuitRequest = { task: string; attempt: string } & (
  | { kind: 'probe'; leaseMs: number; isRedelivered: boolean }
  | { kind: 'failure'; error: string; retryAfterMs: number | undefined }
  | { kind: 'success' }
  /** Whatever became of the probe, it says nothing of the service. */
  | { kind: 'release' }
);

export interface CircuitAnswer {
  isOpen: boolean;
  /** It was opened, or opened again, just now. */
  hasOpened: boolean;
  /** The task may try the service. */
  isProbe: boolean;
}

/** The stored entry; a value of unknown form counts as absent. */
export function readCircuit(value: unknown): CircuitEntry | undefined {
  const fields = circuitFields.read(value);
  const probes = readHolders(fieldOf(value, 'probes'));
  return fields === undefined || probes === undefined ? undefined : { ...fields, probes };
}

/** Nobody starts without asking. */
export function isOpen(entry: CircuitEntry | undefined, now: number): boolean {
  if (entry === undefined || entry.state === 'closed') return false;
  return entry.state === 'held' || now < entry.until + OPEN_KEPT_MS;
}

/** How many more tasks may try the service. */
export function freeProbes(entry: CircuitEntry, settings: CircuitSettings, now: number): number {
  if (entry.state !== 'open' || isPaused(entry, settings, now)) return 0;
  return Math.max(0, settings.probes - liveProbes(entry, now).length);
}

/** A pause that ends later than any pause would was written by another clock. */
function isPaused({ until }: CircuitEntry, { longestPauseMs }: CircuitSettings, now: number): boolean {
  return until > now && until <= now + CLOCKS_DIFFER_MS + longestPauseMs;
}

function liveProbes({ probes }: CircuitEntry, now: number): readonly Holder[] {
  return probes.filter(({ until }) => until + CLOCKS_DIFFER_MS > now);
}

/** A closed circuit of which nothing has been counted. */
export function newCircuit(service: string, key: string, now: number): CircuitEntry {
  return {
    service,
    key,
    state: 'closed',
    failures: 0,
    since: now,
    opened_at: 0,
    openings: 0,
    until: 0,
    wake: 0,
    wake_at: 0,
    error: '',
    probes: [],
  };
}

/** It stays open until an operator closes it. */
export function heldCircuit(entry: CircuitEntry, now: number): CircuitEntry {
  return { ...entry, state: 'held', opened_at: now, until: 0, probes: [], wake: 0, wake_at: 0 };
}

/** Those who wait are woken, a few at first. */
export function closedCircuit(entry: CircuitEntry, now: number): CircuitEntry {
  const fresh = { failures: 0, since: now, probes: [] };
  return { ...entry, ...fresh, state: 'closed', until: 0, wake: FIRST_WAKE, wake_at: now };
}

/** The next portion of those who wait may come, and the one after it is larger. `undefined`: it is not time. */
export function wokenFurther(entry: CircuitEntry, now: number): CircuitEntry | undefined {
  if (entry.state !== 'closed' || entry.wake === 0) return undefined;
  const isEarly = entry.wake_at > now && entry.wake_at <= now + CLOCKS_DIFFER_MS + WAKE_EVERY_MS;
  if (isEarly) return undefined;
  return { ...entry, wake: Math.min(MOST_AWAKE, entry.wake * 2), wake_at: now + WAKE_EVERY_MS };
}

/** Nobody waits any more. */
export function allWoken(entry: CircuitEntry): CircuitEntry {
  return { ...entry, wake: 0, wake_at: 0 };
}

/** How long an entry says something, in milliseconds; `undefined`: until it is replaced. */
export function keptMs(entry: CircuitEntry, { windowMs }: CircuitSettings, now: number): number | undefined {
  if (entry.state === 'held') return undefined;
  if (entry.state === 'open') return Math.max(0, entry.until - now) + OPEN_KEPT_MS;
  return entry.wake > 0 ? OPEN_KEPT_MS : windowMs + CLOSED_KEPT_MS;
}

/** The answers to a batch of requests, and the entry afterwards. */
export function answerAtCircuit(
  stored: CircuitEntry,
  settings: CircuitSettings,
  requests: readonly CircuitRequest[],
  now: number,
): { answers: CircuitAnswer[]; entry: CircuitEntry } {
  let entry: CircuitEntry = { ...stored, probes: liveProbes(stored, now) };
  const answers = requests.map((request): CircuitAnswer => {
    const before = entry;
    entry = after(entry, settings, request, now);
    const isProbe = entry.state === 'open' && entry.probes.some(({ attempt }) => attempt === request.attempt);
    return {
      isOpen: isOpen(entry, now),
      hasOpened: entry.state === 'open' && entry.openings > before.openings,
      isProbe: isProbe && request.kind === 'probe',
    };
  });
  return { answers, entry };
}

function after(
  entry: CircuitEntry,
  settings: CircuitSettings,
  request: CircuitRequest,
  now: number,
): CircuitEntry {
  const own = entry.probes.find(({ attempt }) => attempt === request.attempt);
  switch (request.kind) {
    case 'probe':
      return withProbe(entry, settings, request, now);
    case 'failure':
      return afterFailure(entry, settings, request, own !== undefined, now);
    case 'success':
      if (entry.state === 'closed') return { ...entry, failures: Math.max(0, entry.failures - 1) };
      return own === undefined ? entry : closedCircuit(entry, now);
    case 'release':
      return own === undefined ? entry : { ...entry, probes: entry.probes.filter((each) => each !== own) };
  }
}

function withProbe(
  entry: CircuitEntry,
  settings: CircuitSettings,
  { task, attempt, leaseMs, isRedelivered }: Extract<CircuitRequest, { kind: 'probe' }>,
  now: number,
): CircuitEntry {
  // A task has one place, which passes on to the worker that has the task now.
  const own = entry.probes.find((each) => each.task === task);
  const mayTry = own === undefined ? freeProbes(entry, settings, now) > 0 : isRedelivered;
  if (!mayTry || entry.state !== 'open') return entry;
  const others = entry.probes.filter((each) => each !== own);
  return { ...entry, probes: [...others, { task, attempt, until: now + leaseMs }] };
}

function afterFailure(
  entry: CircuitEntry,
  settings: CircuitSettings,
  { error, retryAfterMs = 0 }: Extract<CircuitRequest, { kind: 'failure' }>,
  isProbe: boolean,
  now: number,
): CircuitEntry {
  const newest = { ...entry, error: cut(error, MAX_ERROR) };
  // Of an open circuit the probes alone say something new.
  if (entry.state !== 'closed') return isProbe ? opened(newest, settings, retryAfterMs, now) : newest;
  // A window may begin with the closing: a circuit that opens again within it has not recovered, and pauses for longer.
  const isOver = now - entry.since > settings.windowMs || entry.since > now + CLOCKS_DIFFER_MS;
  const counted = isOver
    ? { ...newest, since: now, failures: 1, openings: 0 }
    : { ...newest, failures: entry.failures + 1 };
  return counted.failures >= settings.failures ? opened(counted, settings, retryAfterMs, now) : counted;
}

function opened(
  entry: CircuitEntry,
  { pauseMs, longestPauseMs }: CircuitSettings,
  retryAfterMs: number,
  now: number,
): CircuitEntry {
  const pause = Math.min(longestPauseMs, pauseMs * 2 ** Math.min(entry.openings, 30));
  return {
    ...entry,
    state: 'open',
    probes: [],
    wake: 0,
    wake_at: 0,
    openings: entry.openings + 1,
    opened_at: entry.state === 'open' ? entry.opened_at : now,
    // A service says itself when it will be back, within the bounds.
    until: now + Math.max(pause, Math.min(retryAfterMs, longestPauseMs)),
  };
}
