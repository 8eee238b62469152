/** A message as its stream holds it, whichever way it was read. */
import { headers as newHeaders, type Msg, type MsgHdrs } from '@nats-io/nats-core';
import { ServerHeader } from '../wire/headers.js';

export type StreamMessage = Pick<Msg, 'data' | 'headers' | 'json' | 'string'>;

/** The subject under which it was stored. */
export function storedSubject(message: Pick<Msg, 'headers'>): string {
  return message.headers?.get(ServerHeader.Subject) ?? '';
}

/** Its sequence in the stream. */
export function storedSequence(message: Pick<Msg, 'headers'>): number {
  return Number(message.headers?.get(ServerHeader.Sequence) ?? 0);
}

/** As the leader of a stream writes it. */
export interface LeaderMessage {
  subject: string;
  seq: number;
  time: string;
  /** Base64. */
  hdrs?: string;
  data?: string;
}

/** The same message as every replica writes it: its place is in its headers. */
export function fromLeader({ subject, seq, time, hdrs, data = '' }: LeaderMessage): StreamMessage {
  const headers = decodeHeaders(hdrs);
  headers.set(ServerHeader.Subject, subject);
  headers.set(ServerHeader.Sequence, String(seq));
  headers.set(ServerHeader.TimeStamp, time);
  const body = Buffer.from(data, 'base64');
  return {
    data: body,
    headers,
    string: () => body.toString('utf8'),
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion, typescript/no-unnecessary-type-parameters -- as the client's own messages
    json: <T>() => JSON.parse(body.toString('utf8')) as T,
  };
}

/** `NATS/1.0`, then one line for each value. */
function decodeHeaders(base64 = ''): MsgHdrs {
  const headers = newHeaders();
  for (const line of Buffer.from(base64, 'base64').toString('utf8').split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return headers;
}
