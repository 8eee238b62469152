/** A dead letter outside of its stream, as it was stored, so that it can be put back. */
import { isConflict } from '../../wire/server-errors.js';
import { storedSubject } from '../../broker/stored-message.js';
import { JobsError } from '../../errors.js';
import type { Resources } from '../../resources/resources.js';
import { carryHeaders, DeadHeader, ServerHeader } from '../../wire/headers.js';
import type { LetterMessage } from './letter.js';

/** What `discard` hands over and `restore` takes. Its body is the task's payload: keep it as carefully. */
export interface KeptLetter {
  subject: string;
  headers: [name: string, value: string][];
  /** In Base64. */
  body: string;
  /** Its place in the stream before. */
  sequence: number;
}

export function keepLetter({ subject, headers, data, sequence }: LetterMessage): KeptLetter {
  const own = [...carryHeaders(headers)].flatMap(([name, values]) =>
    values.map((value): [string, string] => [name, value]),
  );
  return { subject, headers: own, body: Buffer.from(data).toString('base64'), sequence };
}

type Parts = Pick<Resources, 'names' | 'publisher' | 'streams'>;

/** @returns whether the task has this letter now; `false`: it has a newer one */
export async function restoreLetter(
  { names, publisher, streams }: Parts,
  { subject, headers: own, body, sequence }: KeptLetter,
): Promise<boolean> {
  const [queue = '', task = '', id = ''] = subject.split('.').slice(-3);
  if (subject !== names.deadSubject(queue, task, id))
    throw new JobsError('invalid_options', `"${subject}" is no subject of a dead letter.`);
  const headers = carryHeaders(undefined);
  for (const [name, value] of own) headers.append(name, value);
  // Under the id that it had, the server may still take it for a duplicate.
  headers.set(ServerHeader.MsgId, `${id}.restored-${sequence}`);
  headers.set(ServerHeader.ExpectedLastSubjectSequence, '0');
  try {
    await publisher.publish(subject, Buffer.from(body, 'base64'), { headers });
    return true;
  } catch (error) {
    if (!isConflict(error)) throw error;
    const standing = await streams.get(names.deadStream, { last_by_subj: subject });
    return (
      standing !== undefined &&
      storedSubject(standing) === subject &&
      standing.headers?.get(DeadHeader.At) === headers.get(DeadHeader.At)
    );
  }
}
