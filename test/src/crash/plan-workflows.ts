/** The workflows of a run, and what each has to come to. */
import { chain, chord, group, step, type WorkflowDefinition } from '@stratum/jobs';
import { total } from '../jobs/workflow-tasks.js';
import { evaluate } from '../jobs/workflow-trees.js';
import { randomFrom } from './random.js';

export interface PlannedWorkflow {
  id: string;
  definition: WorkflowDefinition;
  expected: unknown;
}

const MAX_MEMBERS = 4;
const WIDE = 20;

export function planWorkflows(seed: number, count: number): PlannedWorkflow[] {
  const random = randomFrom(seed ^ 0xf10);
  return Array.from({ length: count }, (_, index) => {
    const definition = tree(random, 2);
    return { id: `w${seed}-${index}`, definition, expected: evaluate(definition)?.value };
  });
}

function tree(random: () => number, depth: number): WorkflowDefinition {
  const plus = (): number => Math.floor(random() * 100);
  const first = (): WorkflowDefinition => step(total, { plus: plus() });
  const after = (): WorkflowDefinition => step(total, { plus: plus() }, { with: { of: '$previous' } });
  const members = (length = 1 + Math.floor(random() * MAX_MEMBERS)): WorkflowDefinition[] =>
    Array.from({ length }, () => (depth > 1 && random() < 0.3 ? tree(random, depth - 1) : first()));
  const dice = random();
  if (dice < 0.3) return chain([first(), after(), after()]);
  if (dice < 0.5) return group(members());
  if (dice < 0.8) return chord(group(members()), after());
  if (dice < 0.9) return chord(group(members(WIDE)), after());
  return chain([tree(random, depth - 1), after()]);
}
