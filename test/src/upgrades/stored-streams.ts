/** The messages of streams as JSON, and streams of such JSON. */
import type { JetStreamManager } from '@nats-io/jetstream';
import { headers as newHeaders, type NatsConnection } from '@nats-io/transport-node';
import { z } from 'zod';

const messageSchema = z.object({
  seq: z.int(),
  subject: z.string(),
  headers: z.array(z.tuple([z.string(), z.string()])),
  /** Text, as everything that the framework stores. */
  body: z.string(),
});
export const streamsSchema = z.record(z.string(), z.array(messageSchema));
export type StoredStreams = z.infer<typeof streamsSchema>;

/** Conditions of the publisher, which the server has checked, and its notices, whose subjects belong to it. */
const CHECKED = /^Nats-(?:Expected|Rollup|Required)/;
const NOTICES = 'ADVISORIES';
const TIMEOUT_MS = 5_000;

export async function storedStreams(manager: JetStreamManager): Promise<StoredStreams> {
  const streams: StoredStreams = {};
  for await (const { config, state } of manager.streams.list()) {
    if (config.name.endsWith(NOTICES)) continue;
    const messages: StoredStreams[string] = [];
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
      // A sequence whose message was removed has none.
      const message = await manager.streams.getMessage(config.name, { seq }).catch(() => null);
      if (message === null) continue;
      const { header, subject, data } = message;
      const headers = [...header.keys()]
        .filter((key) => !CHECKED.test(key))
        .map((key): [string, string] => [key, header.get(key)]);
      messages.push({ seq, subject, headers, body: Buffer.from(data).toString('utf8') });
    }
    streams[config.name] = messages;
  }
  return streams;
}

/** Stores the messages under the numbers that they had: some of them name each other by it. The streams are empty. */
export async function storeStreams(
  connection: NatsConnection,
  manager: JetStreamManager,
  streams: StoredStreams,
): Promise<void> {
  for (const [name, messages] of Object.entries(streams)) {
    const { config } = await manager.streams.info(name);
    const [filter = ''] = config.subjects;
    const filler = filter.replace(/[>*]$/, 'filler');
    let next = 1;
    for (const { seq, subject, headers, body } of messages) {
      for (; next < seq; next++) {
        await connection.request(filler, '', { timeout: TIMEOUT_MS });
        await manager.streams.purge(name, { filter: filler });
      }
      const given = newHeaders();
      for (const [key, value] of headers) given.append(key, value);
      await connection.request(subject, body, { headers: given, timeout: TIMEOUT_MS });
      next++;
    }
    const { state } = await manager.streams.info(name);
    if (state.last_seq !== next - 1)
      throw new Error(`${name} has ${state.last_seq} messages, not ${next - 1}.`);
  }
}
