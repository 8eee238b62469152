import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call } from '../api.js';
import { bytes, count, duration, since } from '../format.js';
import { usePlace } from '../router.js';
import type { Session, Snapshot, Worker } from '@stratum/dashboard/answers';
import {
  ActionButton,
  ConditionBadge,
  ConfirmDialog,
  Empty,
  Fact,
  Failed,
  Loading,
  refusalOf,
  useLoaded,
} from '../ui.js';

export function Workers({
  snapshot,
  session,
}: {
  snapshot: Snapshot | undefined;
  session: Session;
}): JSX.Element {
  const chosen = usePlace().query.get('worker');
  if (snapshot === undefined) return <Loading />;
  const { workers, at } = snapshot;
  return (
    <>
      <header class="page-head">
        <h1>
          Workers <span class="faint">{count(workers.length)}</span>
        </h1>
      </header>
      {workers.length === 0 ? (
        <Empty title="No workers">
          None has been heard in the last day. Start one with <code>stratum worker -Q sync</code>.
        </Empty>
      ) : (
        <ul class="workers">
          {workers
            .toSorted((a, b) => ORDER.indexOf(a.condition) - ORDER.indexOf(b.condition))
            .map((worker) => (
              <WorkerCard
                key={worker.name}
                worker={worker}
                now={Date.parse(at)}
                session={session}
                isChosen={worker.name === chosen}
                isLast={isLast(worker, workers)}
              />
            ))}
        </ul>
      )}
    </>
  );
}

/** Those that need a person come first. */
const ORDER: readonly Worker['condition'][] = ['blocked', 'unreachable', 'draining', 'busy', 'ready'];
const WORKING = new Set<Worker['condition']>(['ready', 'busy']);

/** Whether one of its queues has no other worker. */
function isLast(worker: Worker, workers: readonly Worker[]): boolean {
  return worker.queues.some(
    (queue) =>
      !workers.some(
        (other) => other.name !== worker.name && WORKING.has(other.condition) && other.queues.includes(queue),
      ),
  );
}

function WorkerCard({
  worker,
  now,
  session,
  isChosen,
  isLast: isTheLast,
}: {
  worker: Worker;
  now: number;
  session: Session;
  isChosen: boolean;
  isLast: boolean;
}): JSX.Element {
  const [asks, setAsks] = useState<'concurrency' | 'shutdown'>();
  const [isOpen, setOpen] = useState(isChosen);
  const canAnswer = worker.condition !== 'unreachable' && worker.condition !== 'blocked';
  const silence = canAnswer ? undefined : 'The worker does not answer';
  return (
    <li class={isChosen ? 'card chosen' : 'card'}>
      <header>
        <div>
          <h2>{worker.name}</h2>
          <p class="faint">
            {worker.queues.join(', ')} · {worker.host}, process {worker.pid}
          </p>
        </div>
        <ConditionBadge condition={worker.condition} />
      </header>
      <SlotGrid worker={worker} />
      <dl class="inline">
        <Fact label="Memory" value={bytes(worker.memory_bytes)} />
        <Fact label="CPU" value={worker.cpu_percent === undefined ? '–' : `${worker.cpu_percent} %`} />
        <Fact label="Loop lag" value={`${Math.round(worker.loop_lag_ms)} ms`} />
        <Fact label="Done" value={count(worker.succeeded)} />
        <Fact label="Failed" value={count(worker.failed)} />
        <Fact label="Retried" value={count(worker.retried)} />
        <Fact label="Up" value={duration(since(worker.started_at, now))} />
        <Fact label="Heard" value={`${duration(since(worker.at, now))} ago`} />
        <Fact label="Version" value={worker.version ?? '–'} />
      </dl>
      <div class="buttons">
        <button type="button" class="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {isOpen ? 'Hide tasks' : 'Show tasks'}
        </button>
        <ActionButton
          refusal={refusalOf(session, 'workers:control') ?? silence}
          onClick={() => setAsks('concurrency')}
        >
          Concurrency
        </ActionButton>
        <ActionButton
          refusal={refusalOf(session, 'workers:shut-down') ?? silence}
          look="danger"
          onClick={() => setAsks('shutdown')}
        >
          Shut down
        </ActionButton>
      </div>
      {isOpen && <Held worker={worker} />}
      {asks === 'concurrency' && (
        <ConfirmDialog
          title={`Concurrency of ${worker.name}`}
          text="How many tasks it runs at once, until it restarts."
          field={{ label: 'Slots', value: String(worker.concurrency), type: 'number' }}
          action="Change"
          onClose={() => setAsks(undefined)}
          onConfirm={(value) =>
            call('POST', `/api/workers/${worker.name}/concurrency`, { concurrency: Number(value) })
          }
        />
      )}
      {asks === 'shutdown' && (
        <ConfirmDialog
          title={`Shut down ${worker.name}?`}
          text={
            isTheLast
              ? 'It finishes its tasks and ends. One of its queues has no other worker: its tasks will wait.'
              : 'It finishes its tasks and ends. Others take over its queues.'
          }
          typed={worker.name}
          action="Shut down"
          danger
          onClose={() => setAsks(undefined)}
          onConfirm={(confirm) => call('POST', `/api/workers/${worker.name}/shutdown`, { confirm })}
        />
      )}
    </li>
  );
}

const MAX_SQUARES = 64;

function SlotGrid({ worker }: { worker: Worker }): JSX.Element {
  const shown = Math.min(MAX_SQUARES, Math.max(worker.concurrency, worker.running));
  return (
    <div class="slot-grid" role="img" aria-label={`${worker.running} of ${worker.concurrency} slots used`}>
      {Array.from({ length: shown }, (_each, index) => (
        <span key={index} class={index < worker.running ? 'slot used' : 'slot'} />
      ))}
      <span class="slot-text">
        {worker.running} of {worker.concurrency} slots
      </span>
    </div>
  );
}

interface Active {
  id: string;
  task: string;
  queue?: string;
  started_at?: string;
}

interface WorkerDetails {
  active: unknown;
}

/** What the worker answers; one of another version may answer otherwise. */
function activeOf(active: unknown): Active[] {
  if (!Array.isArray(active)) return [];
  return active.filter(
    (each: unknown): each is Active =>
      typeof each === 'object' && each !== null && 'id' in each && 'task' in each,
  );
}

function Held({ worker }: { worker: Worker }): JSX.Element {
  const { value, error, reload } = useLoaded(`${worker.name} ${worker.at}`, () =>
    call<WorkerDetails>('GET', `/api/workers/${worker.name}`),
  );
  const tasks = (worker.contracts ?? []).map((contract) => contract.split(':')[0] ?? '');
  if (error !== undefined) return <Failed error={error} retry={reload} />;
  if (value === undefined) return <Loading />;
  const active = activeOf(value.active);
  return (
    <div class="held">
      <h3>Runs now</h3>
      {value.active === null && <p class="note">The worker did not answer.</p>}
      {value.active !== null && active.length === 0 && <p class="faint">Nothing.</p>}
      <ul class="plain">
        {active.map((each) => (
          <li key={each.id}>
            <a href={`/tasks/${each.id}`}>{each.task}</a> <span class="mono faint">{each.id}</span>
          </li>
        ))}
      </ul>
      <h3>Knows {count(tasks.length)} tasks</h3>
      <p class="faint">{tasks.join(', ')}</p>
    </div>
  );
}
