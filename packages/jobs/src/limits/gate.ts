/**
 * The gate of a limit by key: who runs under it, as one entry in the bucket of locks. Whoever wants to start a task takes a place in it with a
 * compare-and-set, so the limit holds over all workers. A place ends with its lease, by the broker's clock, so none leaks when a worker dies.
 */
import { readHolders, type Holder } from '../control/holder.js';
import { fieldOf } from '../values/any-value.js';
import type { StoredMessage } from '../broker/batch.js';
import { flatJson } from '../values/flat-json.js';
import { readJson } from '../values/read-json.js';
import type { Names } from '../wire/names.js';

/** The broker's clock, as two workers know it, differs by less than this, in milliseconds. */
const CLOCKS_DIFFER_MS = 1_000;

interface GateFields {
  /** For people. */
  key: string;
  /** The limit by which the last place was given. */
  concurrency: number;
  /**
   * When a task was last refused, in milliseconds since 1970; 0: nobody waits. While it is set, a task that comes does not go before those who wait,
   * nor before those who are about to.
   */
  refused_at: number;
}
const gateFields = flatJson<GateFields>({ key: 'string', concurrency: 'number', refused_at: 'number' });

export interface GateEntry extends GateFields {
  holders: readonly Holder[];
}

export type GateRequest =
  | {
      kind: 'take';
      task: string;
      attempt: string;
      concurrency: number;
      leaseMs: number;
      /** It was delivered before, so whoever has its place is lost. */
      isRedelivered: boolean;
    }
  | { kind: 'renew'; task: string; attempt: string; leaseMs: number }
  | { kind: 'release'; task: string; attempt: string };

export interface GateAnswer {
  /** The task has its place: it was given, or kept. */
  isHeld: boolean;
  /** Tasks may wait. */
  hasLine: boolean;
}

/** The stored entry; a value of unknown form counts as absent. */
export function readGate(value: unknown): GateEntry | undefined {
  const fields = gateFields.read(value);
  const holders = readHolders(fieldOf(value, 'holders'));
  return fields === undefined || holders === undefined ? undefined : { ...fields, holders };
}

/** The gates of messages that hold one, by their ids. */
export function gatesIn(
  messages: readonly StoredMessage[],
  names: Names,
): { id: string; entry: GateEntry }[] {
  const prefix = names.gateKey('');
  return messages.flatMap((message) => {
    const entry = message.data.length === 0 ? undefined : readGate(readJson(message));
    return entry === undefined ? [] : [{ id: message.subject.slice(prefix.length), entry }];
  });
}

/** Without the places whose leases are over. */
export function liveHolders(gate: GateEntry | undefined, now: number): GateEntry['holders'] {
  return gate?.holders.filter(({ until }) => until + CLOCKS_DIFFER_MS > now) ?? [];
}

/**
 * The answers to a batch of requests, and the entry afterwards.
 * @param first the tasks at the head of the line: they alone may take what is free while others wait
 */
export function answerAtGate(
  stored: GateEntry | undefined,
  key: string,
  requests: readonly GateRequest[],
  first: ReadonlySet<string>,
  now: number,
): { answers: GateAnswer[]; entry: GateEntry } {
  let holders = liveHolders(stored, now);
  let { refused_at: refusedAt = 0, concurrency = 1 } = stored ?? {};
  // What is given back is free for those who ask with it.
  const ordered = requests.toSorted((a, b) => Number(b.kind === 'release') - Number(a.kind === 'release'));
  const answers = new Map<GateRequest, GateAnswer>();
  for (const request of ordered) {
    const { task } = request;
    const own = holders.find((each) => each.task === task);
    const isOwn = own?.attempt === request.attempt;
    let isHeld = false;
    if (request.kind === 'release') holders = isOwn ? holders.filter((each) => each !== own) : holders;
    else if (request.kind === 'renew') isHeld = isOwn;
    else {
      concurrency = request.concurrency;
      const mayPass = refusedAt === 0 || first.has(task);
      // A task has one place, which passes on to the worker that has the task now. A second message of the task waits.
      isHeld = own === undefined ? mayPass && holders.length < concurrency : isOwn || request.isRedelivered;
      if (!isHeld) refusedAt = now;
    }
    if (isHeld && request.kind !== 'release') {
      const { attempt, leaseMs } = request;
      holders = [...holders.filter((each) => each !== own), { task, attempt, until: now + leaseMs }];
    }
    answers.set(request, { isHeld, hasLine: refusedAt > 0 });
  }
  return {
    answers: requests.map((request) => answers.get(request) ?? { isHeld: false, hasLine: refusedAt > 0 }),
    entry: { key, concurrency, holders, refused_at: refusedAt },
  };
}
