/** Tells a stream that does not exist from a JetStream that is away for a moment. */
import type { NatsConnection } from '@nats-io/nats-core';

const REQUEST_TIMEOUT_MS = 2_000;

interface StreamNamesReply {
  streams?: string[] | null;
  error?: object;
}

/** Whether JetStream says that no stream takes messages to this subject. `false` when it cannot be asked, or does not say. */
export async function isWithoutStream(connection: NatsConnection, subject: string): Promise<boolean> {
  try {
    const reply = await connection.request('$JS.API.STREAM.NAMES', JSON.stringify({ subject }), {
      timeout: REQUEST_TIMEOUT_MS,
    });
    const { streams, error } = reply.json<StreamNamesReply>();
    return error === undefined && (streams ?? []).length === 0;
  } catch {
    // JetStream is starting, electing a leader, or closed to this user.
    return false;
  }
}
