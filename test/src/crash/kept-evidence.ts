/** What one needs to find the cause of a failed run: written beside the journals and logs of its processes. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Evidence } from './judge.js';

const ID = /[tfwc]\d+-\d+[\w-]*/g;

/** `violations.json`: each violation with the records, dead letters, effects and answers of the tasks that it names. */
export async function keepEvidence(
  folder: string,
  violations: readonly string[],
  { client, letters, effects, answers }: Evidence,
): Promise<void> {
  const cases = [];
  for (const violation of violations) {
    const tasks = [];
    for (const id of new Set(violation.match(ID)))
      tasks.push({
        id,
        record: await client.status(id),
        workflow: await client.workflows.get(id),
        letters: letters.get(id),
        effects: effects.of(id),
        answers: answers.get(id),
      });
    cases.push({ violation, tasks });
  }
  await writeFile(join(folder, 'violations.json'), JSON.stringify(cases, undefined, 2));
}
