/** The newest snapshot, over one stream for all tabs of the browser: each tab with its own would use up the six connections of HTTP/1.1. */
import { withBase } from './base-path.js';
import { useEffect, useState } from 'preact/hooks';
import type { Snapshot } from '@stratum/dashboard/answers';

export interface Live {
  snapshot: Snapshot | undefined;
  /** When something was heard last, in milliseconds since 1970. */
  heardAt: number;
}

const NAME = 'stratum-dashboard-live';

/** @param onSnapshot called in every tab @returns what ends it */
function follow(onSnapshot: (snapshot: Snapshot) => void): () => void {
  const channel = new BroadcastChannel(NAME);
  channel.addEventListener('message', ({ data }: MessageEvent<Snapshot>) => onSnapshot(data));
  const stopped = new AbortController();
  const lead = (): Promise<void> =>
    new Promise((resolve) => {
      const source = new EventSource(withBase('/api/live'));
      source.addEventListener('snapshot', ({ data }: MessageEvent<string>) => {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the server and its pages are built together
        const snapshot = JSON.parse(data) as Snapshot;
        onSnapshot(snapshot);
        channel.postMessage(snapshot);
      });
      stopped.signal.addEventListener('abort', () => {
        source.close();
        resolve();
      });
    });
  // The tab that leads holds the lock; when it is closed, the next one gets it.
  navigator.locks.request(NAME, { signal: stopped.signal }, lead).catch(() => undefined);
  return () => {
    stopped.abort();
    channel.close();
  };
}

export function useLive(isSignedIn: boolean): Live {
  const [live, setLive] = useState<Live>({ snapshot: undefined, heardAt: Date.now() });
  useEffect(() => {
    if (!isSignedIn) return undefined;
    return follow((snapshot) => setLive({ snapshot, heardAt: Date.now() }));
  }, [isSignedIn]);
  return live;
}
