/** Removes what limits by key show of somebody. A gate is found by the hash of its key, so the limit goes on without the text. */
import { KeyValue } from '../broker/key-value.js';
import { scanStream } from '../broker/scan.js';
import { readJson } from '../values/read-json.js';
import { readGate } from './gate.js';
import { GATE_KEPT_MS } from './gates.js';
import type { WaitingLineParts } from './waiting-line.js';

/** Returns how many gates showed a key that matches. */
export async function eraseShownKeys(
  { connection, names, publisher, streams }: WaitingLineParts,
  matches: (body: Uint8Array) => boolean,
): Promise<number> {
  const gates = new KeyValue({ publisher, streams, stream: names.lockStream });
  const found = new Set<string>();
  for await (const message of scanStream(connection, names.lockStream, names.gateKey('>'))) {
    const entry = message.data.length === 0 ? undefined : readGate(readJson(message));
    if (entry !== undefined && matches(Buffer.from(JSON.stringify({ key: entry.key }))))
      found.add(message.subject);
  }
  for (const subject of found)
    await gates.change(subject, (stored) => {
      const entry = stored && readGate(readJson(stored.message));
      if (entry === undefined) return undefined;
      return { body: JSON.stringify({ ...entry, key: '' }), ttlMs: GATE_KEPT_MS };
    });
  return found.size;
}
