/** What the Overview shows, as its page hears it: over the stream of snapshots, which goes on when the database does not. */
import { onTestFinished } from 'vitest';
import type { Snapshot } from '@stratum/dashboard/answers';

export interface Verdicts {
  /** The newest snapshot. */
  latest(): Snapshot | undefined;
}

/** @param cookie of a session */
export async function followVerdicts(url: string, cookie: string): Promise<Verdicts> {
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const response = await fetch(new URL('/api/live', url), { headers: { cookie }, signal: stop.signal });
  if (response.body === null || response.status !== 200)
    throw new Error(`The stream was refused: ${response.status}`);
  let latest: Snapshot | undefined;
  const read = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      text += decoder.decode(chunk, { stream: true });
      const events = text.split('\n\n');
      text = events.pop() ?? '';
      for (const event of events) {
        const [, data] = /^data: (.*)$/m.exec(event) ?? [];
        if (data !== undefined) latest = JSON.parse(data);
      }
    }
  };
  read(response.body).catch(() => undefined);
  return { latest: () => latest };
}
