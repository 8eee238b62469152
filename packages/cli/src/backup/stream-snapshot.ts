/**
 * Copies of single streams through NATS's own interface: the server packs a stream with its messages, consumers and their positions, as of one
 * moment, while it goes on; and makes a stream of such a pack. The pack's format is the server's.
 */
import { inboxOf } from '@stratum/jobs/internal';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { z } from 'zod';

const CHUNK_BYTES = 128 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;
/** Between two chunks. A server that packs a large stream sends as it goes. */
const IDLE_MS = 60_000;
/** The server unpacks and reads the whole stream before it answers. */
const UNPACK_TIMEOUT_MS = 30 * 60_000;
/** Follows the last chunk. */
const END_STATUS = 204;

const errorSchema = z.object({ code: z.int(), err_code: z.int().optional(), description: z.string() });
const stateSchema = z.looseObject({
  messages: z.int(),
  bytes: z.int(),
  first_seq: z.int(),
  last_seq: z.int(),
  last_ts: z.string(),
});
/** The server's own description of a stream: it is given back as it came. */
export const streamFactsSchema = z.object({
  config: z.looseObject({ name: z.string(), num_replicas: z.int() }),
  state: stateSchema,
});
export type StreamFacts = z.infer<typeof streamFactsSchema>;

const snapshotAnswer = z.union([z.object({ error: errorSchema }), streamFactsSchema]);
const restoreAnswer = z.union([
  z.object({ error: errorSchema }),
  z.object({ deliver_subject: z.string().min(1) }),
]);
const createAnswer = z.union([z.object({ error: errorSchema }), z.object({ state: stateSchema })]);

/** @param write takes each chunk in turn; the server waits for it. @throws Error when the copy is not whole */
export async function takeSnapshot(
  connection: NatsConnection,
  stream: string,
  write: (chunk: Uint8Array) => Promise<void>,
): Promise<StreamFacts> {
  const inbox = inboxOf(connection);
  const chunks = connection.subscribe(inbox);
  const silence = setTimeout(() => chunks.unsubscribe(), IDLE_MS);
  try {
    const answer = snapshotAnswer.parse(
      await request(connection, `$JS.API.STREAM.SNAPSHOT.${stream}`, {
        deliver_subject: inbox,
        chunk_size: CHUNK_BYTES,
        jsck: true,
      }),
    );
    if ('error' in answer)
      throw new Error(`The stream ${stream} was not copied: ${answer.error.description}.`);
    for await (const chunk of chunks) {
      silence.refresh();
      if (chunk.data.length === 0) {
        requireEnd(stream, chunk);
        return answer;
      }
      await write(chunk.data);
      // The server sends a few chunks ahead of what was written.
      if (chunk.reply !== undefined && chunk.reply !== '') connection.publish(chunk.reply);
    }
    throw new Error(`The copy of the stream ${stream} broke off: nothing came for ${IDLE_MS / 1_000} s.`);
  } finally {
    clearTimeout(silence);
    chunks.unsubscribe();
  }
}

/** Makes the stream of its copy; it must not exist. Returns its state. @throws Error with the server's reason */
export async function restoreSnapshot(
  connection: NatsConnection,
  { config, state }: StreamFacts,
  chunks: AsyncIterable<Uint8Array>,
): Promise<StreamFacts['state']> {
  const { name } = config;
  const refused = (reason: string): Error => new Error(`The stream ${name} was not restored: ${reason}.`);
  const answer = restoreAnswer.parse(
    await request(connection, `$JS.API.STREAM.RESTORE.${name}`, { config, state }),
  );
  if ('error' in answer) throw refused(answer.error.description);
  const { deliver_subject: subject } = answer;
  for await (const chunk of chunks) {
    const { data } = await connection.request(subject, chunk, { timeout: IDLE_MS });
    if (data.length > 0) throw refused(Buffer.from(data).toString('utf8'));
  }
  const end = await connection.request(subject, new Uint8Array(), { timeout: UNPACK_TIMEOUT_MS });
  const made = createAnswer.parse(end.json());
  if ('error' in made) throw refused(made.error.description);
  return made.state;
}

async function request(connection: NatsConnection, subject: string, body: object): Promise<unknown> {
  const answer = await connection.request(subject, JSON.stringify(body), { timeout: REQUEST_TIMEOUT_MS });
  return answer.json();
}

function requireEnd(stream: string, { headers }: Msg): void {
  if (headers === undefined || headers.code === 0 || headers.code === END_STATUS) return;
  throw new Error(`The copy of the stream ${stream} broke off: ${headers.code} ${headers.description}.`);
}
