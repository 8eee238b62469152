/** Who holds a place in an entry of a bucket. The place ends with its lease, so none leaks when a worker dies. */
import { flatJson } from '../values/flat-json.js';

export interface Holder {
  /** `<tenant>.<id>` of the task. */
  task: string;
  /** Of the attempt. */
  attempt: string;
  /** Milliseconds since 1970. */
  until: number;
}

/** The stored holders; `undefined` for a value of unknown form. */
export function readHolders(value: unknown): Holder[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const holders = value.flatMap((each) => holderFields.read(each) ?? []);
  return holders.length === value.length ? holders : undefined;
}

const holderFields = flatJson<Holder>({ task: 'string', attempt: 'string', until: 'number' });
