/** A client of server-sent events. */
import { onTestFinished } from 'vitest';

export interface FollowedEvent {
  id: string;
  event: string;
  data: unknown;
}

export interface Followed {
  events: FollowedEvent[];
  isOpen: () => boolean;
  /** Goes away. */
  stop: () => void;
  /** Resolves when the server has ended the stream, or `stop` was called. */
  ended: Promise<void>;
}

export function followEvents(
  url: URL,
  { key, lastEventId }: { key: string; lastEventId?: string | undefined },
): Followed {
  const controller = new AbortController();
  onTestFinished(() => controller.abort());
  const events: FollowedEvent[] = [];
  let open = false;
  const run = async (): Promise<void> => {
    const response = await fetch(url, {
      signal: controller.signal,
      headers: {
        authorization: `Bearer ${key}`,
        ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
      },
    });
    if (response.status !== 200 || response.body === null) throw new Error(`answered ${response.status}`);
    open = true;
    let rest = '';
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + chunk).split('\n\n');
      rest = blocks.pop() ?? '';
      events.push(...blocks.flatMap(parseBlock));
    }
  };
  const ended = run().catch((error: unknown) => {
    if (!controller.signal.aborted) throw error;
  });
  return { events, isOpen: () => open, stop: () => controller.abort(), ended };
}

function parseBlock(block: string): FollowedEvent[] {
  const fields = new Map(
    block.split('\n').map((line): [string, string] => {
      const at = line.indexOf(': ');
      return [line.slice(0, at), line.slice(at + 2)];
    }),
  );
  const data = fields.get('data');
  if (data === undefined) return [];
  return [{ id: fields.get('id') ?? '', event: fields.get('event') ?? '', data: JSON.parse(data) }];
}
