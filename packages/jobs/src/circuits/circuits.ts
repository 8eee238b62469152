/** The circuits of outside services, as one worker uses them. */
import type { KeyValue } from '../broker/key-value.js';
import { Together } from '../broker/together.js';
import { Calling } from '../limits/calling.js';
import { WaitingLine, type WaitingLineParts, type WaitingTask } from '../limits/waiting-line.js';
import type { CircuitSettings } from '../task/breaker.js';
import { readJson } from '../values/read-json.js';
import { circuitLine } from './circuit-id.js';
import { circuitKeys } from './circuit-keys.js';
import {
  allWoken,
  answerAtCircuit,
  freeProbes,
  keptMs,
  newCircuit,
  readCircuit,
  wokenFurther,
  type CircuitAnswer,
  type CircuitEntry,
  type CircuitRequest,
} from '../control/circuit.js';

/** The circuit of one service, or of one key of it. */
export interface CircuitOf {
  /** `<service>.<key as a token>` */
  readonly id: string;
  readonly service: string;
  /** For people. */
  readonly key: string;
  readonly settings: CircuitSettings;
}

export interface CircuitsParts extends WaitingLineParts {
  /** The broker's time, in milliseconds since 1970. */
  now: () => number;
}

interface Asked {
  circuit: CircuitOf;
  request: CircuitRequest;
}

/** Only these change a circuit of which nothing is known. */
const isNews = ({ kind }: CircuitRequest): boolean => kind === 'failure';
const CLOSED: CircuitAnswer = { isOpen: false, hasOpened: false, isProbe: false };

export class Circuits {
  readonly line: WaitingLine;
  private readonly entries: KeyValue;
  private readonly calling: Calling;
  private readonly requests = new Together<Asked, CircuitAnswer>((id, asked) => this.serve(id, asked));

  constructor(private readonly parts: CircuitsParts) {
    this.entries = circuitKeys(parts);
    this.line = new WaitingLine(parts);
    this.calling = new Calling(parts);
  }

  ask(circuit: CircuitOf, request: CircuitRequest): Promise<CircuitAnswer> {
    return this.requests.ask(circuit.id, { circuit, request });
  }

  /** Calls a task that waits. `false` when it waits no longer. */
  call(waiting: WaitingTask): Promise<boolean> {
    return this.calling.call(waiting);
  }

  /** Calls those who may try an open circuit, or go on after a closed one, in their order. */
  async callNext({ id, settings }: CircuitOf): Promise<void> {
    const now = this.parts.now();
    const stored = await this.entries.get(id);
    const entry = stored && readCircuit(readJson(stored.message));
    if (stored === undefined || entry === undefined) return;
    if (entry.state !== 'closed') {
      await this.callFirst(id, freeProbes(entry, settings, now), entry);
      return;
    }
    const further = wokenFurther(entry, now);
    if (further === undefined) return;
    const sequence = await this.put(id, further, settings, stored.sequence);
    // Another worker calls this portion.
    if (sequence === undefined || (await this.callFirst(id, entry.wake, entry)) === entry.wake) return;
    await this.put(id, allWoken(further), settings, sequence);
  }

  /** As many as there are: who has been called, and has not started, is one of them. */
  private async callFirst(id: string, most: number, { probes }: CircuitEntry): Promise<number> {
    if (most === 0) return 0;
    const trying = new Set(probes.map(({ task }) => task));
    return this.calling.callFirst(this.line, circuitLine(id), trying, most);
  }

  private put(
    id: string,
    entry: CircuitEntry,
    settings: CircuitSettings,
    expected: number,
  ): Promise<number | undefined> {
    const ttlMs = keptMs(entry, settings, this.parts.now());
    return this.entries.put(id, JSON.stringify(entry), { expected, ttlMs });
  }

  private async serve(id: string, asked: readonly Asked[]): Promise<CircuitAnswer[]> {
    const [first] = asked;
    if (first === undefined) return [];
    const { service, key, settings } = first.circuit;
    const requests = asked.map(({ request }) => request);
    let answers: CircuitAnswer[] = requests.map(() => CLOSED);
    await this.entries.change(id, (stored) => {
      const now = this.parts.now();
      const known = stored && readCircuit(readJson(stored.message));
      if (known === undefined && !requests.some(isNews)) {
        answers = requests.map(() => CLOSED);
        return undefined;
      }
      const answered = answerAtCircuit(known ?? newCircuit(service, key, now), settings, requests, now);
      ({ answers } = answered);
      const body = JSON.stringify(answered.entry);
      if (stored !== undefined && body === JSON.stringify(known)) return undefined;
      return { body, ttlMs: keptMs(answered.entry, settings, now) };
    });
    return answers;
  }
}
