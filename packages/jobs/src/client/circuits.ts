/** The circuits of outside services, for people: what is known of them, and what an operator opens and closes. */
import { eachLimited } from '../broker/each-limited.js';
import type { AckMultiplexer } from '../broker/ack-multiplexer.js';
import type { StoredMessage } from '../broker/batch.js';
import type { StreamAccess } from '../broker/stream-access.js';
import { circuitId, circuitLine } from '../circuits/circuit-id.js';
import { circuitKeys } from '../circuits/circuit-keys.js';
import {
  closedCircuit,
  heldCircuit,
  isOpen,
  newCircuit,
  OPEN_KEPT_MS,
  readCircuit,
  type CircuitEntry,
} from '../control/circuit.js';
import { controlKeys } from '../control/entries.js';
import { readJson } from '../values/read-json.js';
import { shownKey } from '../task/key-text.js';
import { requireToken, type Names } from '../wire/names.js';

/** A circuit of which something is known; that of any other service is closed. */
export interface CircuitView {
  /** As the header `Task-Key-Wait` of those who wait says. */
  line: string;
  service: string;
  /** One line, cut to 100 characters; empty: the service has one circuit. */
  key: string;
  /** `trying`: the pause is over, and tasks try the service. `held`: opened by an operator. `waking`: closed, and tasks that waited are called. */
  state: 'closed' | 'open' | 'trying' | 'held' | 'waking';
  /** In the window that is under way, or that opened it. */
  failures: number;
  /** RFC 3339; `null`: it is closed. */
  opened_at: string | null;
  /** When a task may try the service, RFC 3339; `null`: it is closed, or held. */
  retry_at: string | null;
  /** Tasks that wait. */
  waiting: number;
  /** The newest failure; empty: none. */
  error: string;
}

export interface OpenCircuitOptions {
  /** Of the key, as the contract reads it from payloads. Default: the service has one circuit. */
  key?: string | undefined;
}

interface CircuitParts {
  publisher: AckMultiplexer;
  streams: StreamAccess;
  names: Names;
  /** The broker's time, in milliseconds since 1970. */
  now: () => number;
}

/** Those in these messages of the control bucket. */
export async function circuitsIn(
  messages: readonly StoredMessage[],
  { streams, names, now }: Omit<CircuitParts, 'publisher'>,
): Promise<CircuitView[]> {
  const prefix = names.controlKey(controlKeys.circuit(''));
  const found = messages.flatMap((message): [string, CircuitEntry][] => {
    const entry = message.data.length === 0 ? undefined : readCircuit(readJson(message));
    return entry === undefined ? [] : [[circuitLine(message.subject.slice(prefix.length)), entry]];
  });
  const views: CircuitView[] = [];
  await eachLimited(found, async ([line, entry]) => {
    const waits = isOpen(entry, now()) || entry.wake > 0;
    const waiting = waits ? await streams.count(names.lockStream, names.gateWaitKey(line, '*.*')) : 0;
    views.push(viewOf(line, entry, waiting, now()));
  });
  return views.toSorted((a, b) => a.service.localeCompare(b.service) || a.key.localeCompare(b.key));
}

function viewOf(line: string, entry: CircuitEntry, waiting: number, now: number): CircuitView {
  const { service, key, failures, opened_at: openedAt, until, error } = entry;
  const state = stateOf(entry, now);
  const isShut = state === 'closed' || state === 'waking';
  return {
    line,
    service,
    key,
    state,
    failures,
    opened_at: isShut ? null : new Date(openedAt).toISOString(),
    retry_at: isShut || state === 'held' ? null : new Date(until).toISOString(),
    waiting,
    error,
  };
}

function stateOf(entry: CircuitEntry, now: number): CircuitView['state'] {
  if (!isOpen(entry, now)) return entry.wake > 0 ? 'waking' : 'closed';
  if (entry.state === 'held') return 'held';
  return entry.until > now ? 'open' : 'trying';
}

/** Opens a circuit until it is closed, or closes it and has those who wait called. */
export async function setCircuit(
  { publisher, streams, names, now }: CircuitParts,
  state: 'open' | 'closed',
  service: string,
  key: string | undefined,
): Promise<void> {
  const id = circuitId(requireToken(service, 'service'), key);
  await circuitKeys({ publisher, streams, names }).change(id, (stored) => {
    const known = stored && readCircuit(readJson(stored.message));
    if (known === undefined && state === 'closed') return undefined;
    const entry = known ?? newCircuit(service, shownKey(key ?? ''), now());
    if (state === 'open') return { body: JSON.stringify(heldCircuit(entry, now())) };
    return {
      body: JSON.stringify({ ...closedCircuit(entry, now()), openings: 0 }),
      ttlMs: OPEN_KEPT_MS,
    };
  });
}
