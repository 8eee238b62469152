import type { JSX } from 'preact';
import { count, duration, rate, since } from '../format.js';
import type { Queue } from '@stratum/dashboard/answers';
import { Icon, Scroll } from '../ui.js';

/** @param actions a last column */
export function QueueTable({
  queues,
  at,
  actions,
}: {
  queues: readonly Queue[];
  at: string;
  actions?: (queue: Queue) => JSX.Element;
}): JSX.Element {
  const now = Date.parse(at);
  return (
    <Scroll label="Queues">
      <table class="queues">
        <thead>
          <tr>
            <th>Queue</th>
            <th class="number">High</th>
            <th class="number">Normal</th>
            <th class="number">Low</th>
            <th class="number">Oldest</th>
            <th class="number">Delayed</th>
            <th>Slots</th>
            <th class="number">In</th>
            <th class="number">Out</th>
            <th class="number">Drains in</th>
            <th class="number">Waited p95</th>
            <th class="number">Ran p95</th>
            <th class="number">Failed, 15 min</th>
            {actions !== undefined && <th class="actions">Actions</th>}
          </tr>
        </thead>
        <tbody>
          {queues.map((queue) => (
            <tr key={queue.queue}>
              <th scope="row">
                <a href={`/queues/${queue.queue}`}>{queue.queue}</a>
                {queue.paused && (
                  <span class="badge state-retry">
                    <Icon name="pause" />
                    Paused
                  </span>
                )}
              </th>
              <Depth n={queue.high} />
              <Depth n={queue.normal} />
              <Depth n={queue.low} />
              <td class="number">{duration(since(queue.oldest_at, now))}</td>
              <Depth n={queue.delayed} />
              <td>
                <Slots used={queue.slots_used} all={queue.slots} />
              </td>
              <td class="number">{rate(queue.in_per_s)}</td>
              <td class="number">{rate(queue.out_per_s)}</td>
              <td class="number">{queue.drain_s === null ? '–' : duration(queue.drain_s * 1_000)}</td>
              <td class="number">{duration(queue.wait_p95_ms)}</td>
              <td class="number">{duration(queue.run_p95_ms)}</td>
              <td class="number">
                {queue.failed_15m === 0 ? (
                  <span class="faint">0</span>
                ) : (
                  <a
                    class="bad"
                    href={`/tasks?q=${encodeURIComponent(`state:failure,retry queue:${queue.queue}`)}`}
                  >
                    {count(queue.failed_15m)} of {count(queue.ended_15m)}
                  </a>
                )}
              </td>
              {actions !== undefined && <td class="actions">{actions(queue)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Depth({ n }: { n: number }): JSX.Element {
  return <td class={n === 0 ? 'number faint' : 'number'}>{count(n)}</td>;
}

export function Slots({ used, all }: { used: number; all: number }): JSX.Element {
  if (all === 0) return <span class="faint">no worker</span>;
  return (
    <span class="slots">
      <meter min={0} max={all} value={used} aria-label="Slots used" />
      {used} / {all}
    </span>
  );
}
