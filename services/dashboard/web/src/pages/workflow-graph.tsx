/** A definition is series-parallel, so nested boxes lay it out: a chain beside each other, a group below each other. */
import type { GraphNode, ManyNode, NodeState, StepNode, WorkflowItem } from '@stratum/dashboard/answers';
import type { JSX } from 'preact';
import { query } from '../api.js';
import { count, duration } from '../format.js';
import { navigate } from '../router.js';
import { Icon, Scroll, StateBadge, stateIcon, stateWord } from '../ui.js';

export function WorkflowGraph({ root }: { root: GraphNode }): JSX.Element {
  return (
    <Scroll label="Steps of the workflow">
      <div class="graph">
        <Part node={root} />
      </div>
    </Scroll>
  );
}

/** A step is revoked, a workflow cancelled. */
export function WorkflowBadge({ state }: { state: WorkflowItem['state'] }): JSX.Element {
  return <StateBadge state={state} word={state === 'REVOKED' ? 'Cancelled' : undefined} />;
}

const KINDS = { chain: 'Chain', group: 'Group', chord: 'Chord' } as const;

function Part({ node }: { node: GraphNode }): JSX.Element {
  if (node.kind === 'task') return <Step step={node} />;
  if (node.kind === 'many') return <Many node={node} />;
  const isParallel = node.kind === 'group';
  if (node.members.length === 0) return <p class="graph-empty faint">Empty {node.kind}</p>;
  return (
    <ol class={isParallel ? 'graph-group' : 'graph-chain'} aria-label={KINDS[node.kind]}>
      {node.members.map((member) => (
        <li key={member.path}>
          <Part node={member} />
        </li>
      ))}
    </ol>
  );
}

function Step({ step }: { step: StepNode }): JSX.Element {
  const { state, task, task_id: id, retries, queue, error } = step;
  const waited =
    step.enqueued_at !== null && step.started_at !== null
      ? Math.max(0, Date.parse(step.started_at) - Date.parse(step.enqueued_at))
      : null;
  return (
    <a
      class={`step state-${lookOf(state)} ${step.critical ? 'critical' : ''}`}
      href={`/tasks/${id}`}
      title={error === null ? step.path : `${error.type}: ${error.message}`}
    >
      <span class="step-head">
        <Icon name={stateIcon(state)} />
        <b>{task}</b>
      </span>
      <span class="step-facts">
        {stateWord(state)}
        {step.runtime_ms !== null && ` · ${duration(step.runtime_ms)}`}
        {retries > 0 && ` · ${count(retries)} ${retries === 1 ? 'retry' : 'retries'}`}
      </span>
      <span class="step-facts">
        {queue}
        {waited !== null && waited >= 1_000 && ` · waited ${duration(waited)}`}
      </span>
    </a>
  );
}

function lookOf(state: NodeState): string {
  return state === 'WAITING' || state === 'PENDING' ? 'queued' : state.toLowerCase();
}

const PER_ROW = 40;
const CELL = 9;
const SIDE = 7;

/** One shape for each state, however many members: 10,000 elements would freeze the page. */
function Many({ node }: { node: ManyNode }): JSX.Element {
  const { states, order, ids, counts } = node;
  const perRow = Math.min(PER_ROW, Math.max(13, Math.ceil(Math.sqrt(states.length * 2))));
  const rows = Math.ceil(states.length / perRow);
  const shapes = new Map<number, string>();
  for (let index = 0; index < states.length; index++) {
    const state = Number(states[index]);
    const x = (index % perRow) * CELL;
    const y = Math.floor(index / perRow) * CELL;
    shapes.set(state, `${shapes.get(state) ?? ''}M${x} ${y}h${SIDE}v${SIDE}h-${SIDE}z`);
  }
  const [width, height] = [perRow * CELL, rows * CELL];
  const open = (event: MouseEvent & { currentTarget: SVGSVGElement }): void => {
    const box = event.currentTarget.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * perRow);
    const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
    const index = row * perRow + column;
    if (ids !== null && index < states.length) navigate(`/tasks/${ids.prefix}${ids.first + index}`);
  };
  const said = order.filter((state) => counts[state] !== undefined);
  return (
    <section class="many">
      <h3>
        {node.of === 'chain' ? 'Chain' : 'Group'} of {count(states.length)}
      </h3>
      <svg
        class={ids === null ? 'squares' : 'squares clickable'}
        viewBox={`0 0 ${width} ${height}`}
        width={width}
        height={height}
        role="img"
        aria-label={said.map((state) => `${count(counts[state] ?? 0)} ${stateWord(state)}`).join(', ')}
        onClick={open}
      >
        {[...shapes].map(([state, d]) => (
          <path key={state} class={`square-${lookOf(order[state] ?? 'WAITING')}`} d={d} />
        ))}
      </svg>
      <p class="many-counts">
        {said.map((state) => (
          <span key={state}>
            <StateBadge state={state} /> {count(counts[state] ?? 0)}
          </span>
        ))}
      </p>
      {ids !== null && <a href={`/tasks${query({ q: `id:${ids.prefix}` })}`}>List its tasks</a>}
      {node.shown.length > 0 && (
        <ul class="plain">
          {node.shown.map((member) => (
            <li key={member.path}>
              <Part node={member} />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
