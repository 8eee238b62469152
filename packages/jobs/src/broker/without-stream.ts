/** Distinguishes a missing stream from a JetStream that is briefly unavailable. */
import type { NatsConnection } from '@nats-io/nats-core';

const REQUEST_TIMEOUT_MS = 2_000;

interface StreamNamesReply {
  streams?: string[] | null;
  error?: object;
}

/** Whether JetStream reports that no stream has this subject. `false` if it does not respond. */
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
