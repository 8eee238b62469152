import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call } from '../api.js';
import { count, duration, rate, since } from '../format.js';
import type { Queue, Session, Snapshot } from '@stratum/dashboard/answers';
import { ActionButton, ConfirmDialog, Empty, Icon, Loading, refusalOf } from '../ui.js';
import { SeriesChart, useMarks } from './overview.js';
import { QueueTable, Slots } from './queue-table.js';

export function Queues({
  snapshot,
  session,
}: {
  snapshot: Snapshot | undefined;
  session: Session;
}): JSX.Element {
  if (snapshot === undefined) return <Loading />;
  return (
    <>
      <header class="page-head">
        <h1>Queues</h1>
      </header>
      {snapshot.queues.length === 0 ? (
        <Empty title="No sample yet">The broker is asked every four seconds.</Empty>
      ) : (
        <QueueTable
          queues={snapshot.queues}
          at={snapshot.at}
          actions={(queue) => <QueueControls queue={queue} session={session} />}
        />
      )}
    </>
  );
}

function QueueControls({ queue, session }: { queue: Queue; session: Session }): JSX.Element {
  const [asks, setAsks] = useState<'pause' | 'resume' | 'purge'>();
  const waiting = queue.high + queue.normal + queue.low + queue.delayed;
  const verb = queue.paused ? 'resume' : 'pause';
  const close = (): void => setAsks(undefined);
  return (
    <div class="buttons">
      <ActionButton refusal={refusalOf(session, 'queues:control')} onClick={() => setAsks(verb)}>
        {queue.paused ? 'Resume' : 'Pause'}
      </ActionButton>
      <ActionButton
        refusal={refusalOf(session, 'queues:purge') ?? (waiting === 0 ? 'Nothing waits' : undefined)}
        look="danger"
        onClick={() => setAsks('purge')}
      >
        Purge
      </ActionButton>
      {(asks === 'pause' || asks === 'resume') && (
        <ConfirmDialog
          title={`${asks === 'pause' ? 'Pause' : 'Resume'} ${queue.queue}?`}
          text={
            asks === 'pause'
              ? 'No task of the queue starts until it is resumed. Running tasks continue, and the pause survives restarts.'
              : `${count(queue.high + queue.normal + queue.low)} waiting tasks may start at once.`
          }
          field={{ label: 'Reason, for the audit trail (optional)' }}
          action={asks === 'pause' ? 'Pause' : 'Resume'}
          onClose={close}
          onConfirm={(reason) => call('POST', `/api/queues/${queue.queue}/${asks}`, { reason })}
        />
      )}
      {asks === 'purge' && (
        <ConfirmDialog
          title={`Purge ${queue.queue}?`}
          text={`About ${count(waiting)} waiting, delayed and retrying tasks are removed. Running tasks continue. This cannot be undone.`}
          typed={queue.queue}
          action="Purge"
          danger
          onClose={close}
          onConfirm={(confirm) => call('POST', `/api/queues/${queue.queue}/purge`, { confirm })}
        />
      )}
    </div>
  );
}

export function QueuePage({
  name,
  snapshot,
  session,
}: {
  name: string;
  snapshot: Snapshot | undefined;
  session: Session;
}): JSX.Element {
  const marks = useMarks(1, name);
  if (snapshot === undefined) return <Loading />;
  const queue = snapshot.queues.find((each) => each.queue === name);
  if (queue === undefined)
    return (
      <Empty title={`There is no queue ${name}`} isPage>
        <a href="/queues">Show all queues</a>
      </Empty>
    );
  const workers = snapshot.workers.filter(({ queues }) => queues.includes(name));
  const now = Date.parse(snapshot.at);
  return (
    <>
      <nav class="crumbs" aria-label="Place">
        <a href="/queues">Queues</a> / {name}
      </nav>
      <header class="page-head">
        <h1>
          {name}{' '}
          {queue.paused && (
            <span class="badge state-retry">
              <Icon name="pause" />
              Paused
            </span>
          )}
        </h1>
        <QueueControls queue={queue} session={session} />
      </header>
      <dl class="stats">
        <Stat
          label="Waiting"
          value={count(queue.high + queue.normal + queue.low)}
          more={`${count(queue.high)} high, ${count(queue.normal)} normal, ${count(queue.low)} low`}
        />
        <Stat
          label="Oldest"
          value={duration(since(queue.oldest_at, now))}
          more={
            queue.drain_s === null
              ? 'the backlog does not shrink'
              : `drains in ${duration(queue.drain_s * 1_000)}`
          }
        />
        <Stat label="Running" value={count(queue.running)} more={`${count(queue.delayed)} delayed`} />
        <Stat label="Finished" value={rate(queue.out_per_s)} more={`in: ${rate(queue.in_per_s)}`} />
        <Stat
          label="Waited, p95"
          value={duration(queue.wait_p95_ms)}
          more={`ran: ${duration(queue.run_p95_ms)}`}
        />
      </dl>
      <div class="charts">
        <SeriesChart metric="throughput" title="Started and finished" hours={1} marks={marks} queue={name} />
        <SeriesChart metric="waiting" title="Waiting, by lane" hours={1} marks={marks} queue={name} />
        <SeriesChart metric="oldest" title="Age of the oldest" hours={1} marks={marks} queue={name} />
        <SeriesChart metric="slots" title="Slots" hours={1} marks={marks} queue={name} />
      </div>
      <section>
        <h2>Workers of this queue</h2>
        {workers.length === 0 ? (
          <p class="note">
            None. Start one with <code>stratum worker -Q {name}</code>.
          </p>
        ) : (
          <ul class="plain">
            {workers.map((worker) => (
              <li key={worker.name}>
                <a href={`/workers?worker=${worker.name}`}>{worker.name}</a>{' '}
                <Slots used={worker.running} all={worker.concurrency} />
              </li>
            ))}
          </ul>
        )}
        <p>
          <a href={`/tasks?q=${encodeURIComponent(`queue:${name}`)}`}>Tasks of this queue</a>
        </p>
      </section>
    </>
  );
}

function Stat({ label, value, more }: { label: string; value: string; more: string }): JSX.Element {
  return (
    <div>
      <dt>{label}</dt>
      <dd>
        {value}
        <span class="faint">{more}</span>
      </dd>
    </div>
  );
}
