/** The gates of all limits by key, as one worker uses them. */
import { KeyValue } from '../broker/key-value.js';
import { Together } from '../broker/together.js';
import type { Logger } from '../telemetry/logger.js';
import { readJson } from '../values/read-json.js';
import { Calling } from './calling.js';
import { gateMessages } from './gate-messages.js';
import { answerAtGate, gatesIn, liveHolders, readGate, type GateAnswer, type GateRequest } from './gate.js';
import { WaitingLine, type WaitingLineParts } from './waiting-line.js';

/** The gate of one key. */
export interface GateOf {
  /** `<task>.<limit>.<key as a token>` */
  readonly id: string;
  /** The key, for people. */
  readonly key: string;
}

export interface GatesParts extends WaitingLineParts {
  /** The broker's time, in milliseconds since 1970. */
  now: () => number;
  logger: Logger;
}

/** An entry that says something is kept for this long beyond its last change, and an empty one for a minute. In milliseconds. */
export const GATE_KEPT_MS = 86_400_000;
const EMPTY_KEPT_MS = 60_000;
/** From a refusal until the task stands in the line, in milliseconds. */
const ENTERING_MS = 1_000;

interface Asked {
  gate: GateOf;
  request: GateRequest;
}

export class Gates {
  readonly line: WaitingLine;
  private readonly entries: KeyValue;
  private readonly calling: Calling;
  private readonly requests = new Together<Asked, GateAnswer>((id, asked) => this.serve(id, asked));
  /** Calls under way; `true`: call once more afterwards. */
  private readonly calls = new Map<string, boolean>();

  constructor(private readonly parts: GatesParts) {
    const { publisher, streams, names } = parts;
    this.entries = new KeyValue({
      publisher,
      streams,
      stream: names.lockStream,
      subjectOf: (gate) => names.gateKey(gate),
    });
    this.line = new WaitingLine(parts);
    this.calling = new Calling(parts);
  }

  /** Requests that are not answered yet. */
  get size(): number {
    return this.requests.size;
  }

  ask(gate: GateOf, request: GateRequest): Promise<GateAnswer> {
    return this.requests.ask(gate.id, { gate, request });
  }

  /**
   * Calls as many of those who wait as there are free places, in their order. Calls of one gate come one after the other.
   * @returns whether any wait
   */
  async callNext(gate: string, concurrency: () => number): Promise<boolean> {
    if (this.calls.has(gate)) {
      this.calls.set(gate, true);
      return true;
    }
    try {
      let anyWait: boolean;
      do {
        this.calls.set(gate, false);
        anyWait = await this.callFirst(gate, concurrency);
      } while (this.calls.get(gate) === true);
      return anyWait;
    } finally {
      this.calls.delete(gate);
    }
  }

  /** Gates of a task at which tasks may wait although a place is free. At most 1,000 are looked at. */
  async withFreePlaces(
    task: string,
    concurrencyOf: (limit: string) => number,
  ): Promise<{ gate: string; limit: string }[]> {
    const at = this.parts.now();
    const gates = gatesIn(await gateMessages(this.parts, `${task}.>`), this.parts.names);
    return gates.flatMap(({ id: gate, entry }) => {
      const [, limit = ''] = gate.split('.');
      const isFree = entry.refused_at > 0 && liveHolders(entry, at).length < concurrencyOf(limit);
      return isFree ? [{ gate, limit }] : [];
    });
  }

  private async callFirst(gate: string, concurrency: () => number): Promise<boolean> {
    const { now } = this.parts;
    const stored = await this.entries.get(gate);
    const entry = stored && readGate(readJson(stored.message));
    if (stored === undefined || entry === undefined || entry.refused_at === 0) return false;
    const holders = liveHolders(entry, now());
    const free = concurrency() - holders.length;
    if (free <= 0) return true;
    const running = new Set(holders.map(({ task }) => task));
    const called = await this.calling.callFirst(this.line, gate, running, free);
    // Whoever was refused just now is about to enter the line.
    if (called > 0 || now() - entry.refused_at < ENTERING_MS) return true;
    // Nobody waits, unless somebody has come meanwhile.
    const body = JSON.stringify({ ...entry, holders, refused_at: 0 });
    const ttlMs = holders.length === 0 ? EMPTY_KEPT_MS : GATE_KEPT_MS;
    return (await this.entries.put(gate, body, { expected: stored.sequence, ttlMs })) === undefined;
  }

  private async serve(id: string, asked: readonly Asked[]): Promise<GateAnswer[]> {
    const requests = asked.map(({ request }) => request);
    const takes = requests.filter((request) => request.kind === 'take');
    const key = asked[0]?.gate.key ?? '';
    let answers: GateAnswer[] = [];
    await this.entries.change(id, async (stored) => {
      const now = this.parts.now();
      const entry = stored && readGate(readJson(stored.message));
      const releases = requests.length - takes.length;
      const most = Math.max(0, ...takes.map(({ concurrency }) => concurrency));
      const free = most - liveHolders(entry, now).length + releases;
      const hasLine = entry !== undefined && entry.refused_at > 0;
      const first = hasLine && free > 0 ? await this.firstOf(id, free) : new Set<string>();
      const answered = answerAtGate(entry, key, requests, first, now);
      ({ answers } = answered);
      const isEmpty = answered.entry.holders.length === 0 && answered.entry.refused_at === 0;
      return { body: JSON.stringify(answered.entry), ttlMs: isEmpty ? EMPTY_KEPT_MS : GATE_KEPT_MS };
    });
    return answers;
  }

  private async firstOf(gate: string, count: number): Promise<ReadonlySet<string>> {
    const first = new Set<string>();
    for await (const { task } of this.line.inOrder(gate)) if (first.add(task).size >= count) break;
    return first;
  }
}
