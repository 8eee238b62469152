import { KeyValue, type KeyValueOptions } from '../broker/key-value.js';
import { controlKeys } from '../control/entries.js';
import type { Names } from '../wire/names.js';

/** The entries of circuits, by their ids. */
export function circuitKeys({
  publisher,
  streams,
  names,
}: Pick<KeyValueOptions, 'publisher' | 'streams'> & { names: Names }): KeyValue {
  return new KeyValue({
    publisher,
    streams,
    stream: names.controlStream,
    subjectOf: (circuit) => names.controlKey(controlKeys.circuit(circuit)),
  });
}
