/** A definition in one line: `sync_campaign_data → 12 × calculate_scores → evaluate_rules`. Two workflows of the same shape read the same. */
import type { WorkflowDefinition } from '@stratum/jobs';

/** Further members are counted. */
const MAX_NAMED = 6;

export function outlineOf(definition: WorkflowDefinition): string {
  if ('task' in definition) return definition.task;
  if ('chain' in definition) return inOrder(definition.chain);
  if ('group' in definition) return together(definition.group);
  const { group, callback } = definition.chord;
  return `${together(group)} → ${bracketed(callback)}`;
}

function inOrder(members: readonly WorkflowDefinition[]): string {
  const named = members.slice(0, MAX_NAMED).map(bracketed);
  const more = members.length - named.length;
  return [...named, ...(more === 0 ? [] : [`${more} more`])].join(' → ');
}

/** Members of one shape are counted. */
function together(members: readonly WorkflowDefinition[]): string {
  const shapes = new Map<string, number>();
  for (const member of members) {
    const shape = bracketed(member);
    shapes.set(shape, (shapes.get(shape) ?? 0) + 1);
  }
  const named = [...shapes]
    .slice(0, MAX_NAMED)
    .map(([shape, count]) => (count === 1 ? shape : `${count} × ${shape}`));
  const more = shapes.size - named.length;
  const text = [...named, ...(more === 0 ? [] : [`${more} more`])].join(' + ');
  return text === '' ? 'nothing' : text;
}

function bracketed(definition: WorkflowDefinition): string {
  return 'task' in definition ? definition.task : `(${outlineOf(definition)})`;
}
