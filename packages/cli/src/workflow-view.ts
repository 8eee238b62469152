/** Workflows for people. */
import type { WorkflowNode, WorkflowOutcome, WorkflowSummary, WorkflowView } from '@stratum/jobs';
import { printFacts, styled } from './output.js';
import { STATE_COLOURS } from './record-view.js';

/** Members of one group or chain; of more, those that have not succeeded come first. */
const SHOWN_MEMBERS = 30;

export function printOutcome(outcome: WorkflowOutcome): void {
  printSummary(outcome, [['result', outcome.state === 'SUCCESS' ? JSON.stringify(outcome.result) : null]]);
}

export function printWorkflow(view: WorkflowView): void {
  const { total, ...states } = view.steps;
  const counts = Object.entries(states).map(([state, count]) => `${count} ${state}`);
  printSummary(view, [['steps', counts.length === 0 ? total : `${total}: ${counts.join(', ')}`]]);
  console.log();
  if (view.tree !== null) printNode(view.tree, '', '');
}

function printSummary(
  { id, state, tenant, started_at, finished_at, runtime_ms, error, failed }: WorkflowSummary,
  more: readonly [string, string | number | null][],
): void {
  console.log(`${styled(STATE_COLOURS[state], state)}  ${id}`);
  printFacts([
    ['tenant', tenant],
    ['started', started_at],
    ['finished', finished_at],
    ['ran', runtime_ms === null ? null : `${runtime_ms} ms`],
    [
      'failed at',
      failed === null ? null : `${failed.path || '(the whole)'}, task ${failed.task} (${failed.task_id})`,
    ],
    ['error', error === null ? null : `${error.type}: ${error.message}`],
    ...more,
  ]);
}

function printNode(node: WorkflowNode, indent: string, label: string): void {
  const colour = node.state === 'WAITING' ? 'gray' : STATE_COLOURS[node.state];
  const name = node.kind === 'task' ? `${node.task}  ${node.task_id}` : node.kind;
  const time = node.runtime_ms === null ? '' : `  ${node.runtime_ms} ms`;
  const error = node.error ? `  ${node.error.type}: ${node.error.message}` : '';
  console.log(`${indent}${label}${styled(colour, node.state.padEnd(9))} ${name}${time}${error}`);
  const inner = `${indent}  `;
  if (node.group) printNode(node.group, inner, '');
  if (node.callback) printNode(node.callback, inner, 'then ');
  const members = node.members ?? [];
  const shown = members.length <= SHOWN_MEMBERS ? members : notable(members);
  for (const member of shown) printNode(member, inner, '');
  const hidden = members.length - shown.length;
  if (hidden > 0) console.log(`${inner}… and ${hidden.toLocaleString('en')} more (--json shows all)`);
}

function notable(members: readonly WorkflowNode[]): WorkflowNode[] {
  const open = members.filter(
    ({ state }) => state !== 'SUCCESS' && state !== 'WAITING' && state !== 'PENDING',
  );
  return (open.length === 0 ? members : open).slice(0, SHOWN_MEMBERS);
}
