import type { DeadLetter, JobsClient, TaskContract } from '@stratum/jobs';
import {
  checkPayload,
  editableLetter,
  editedPayload,
  type DifferenceLine,
} from '@stratum/shared/dead-letters';
import { withClient } from '../client-session.js';
import { confirm } from '../confirm.js';
import { editText } from '../editor.js';
import { parseInput } from '../input-file.js';
import { printJson, styled } from '../output.js';

interface EditFlags {
  expires?: Date | 'never';
  yes?: boolean;
  json?: boolean;
}

export async function edit(id: string, flags: EditFlags): Promise<void> {
  await withClient(async ({ client, tasks }) => {
    const letter = await client.deadLetters.get(id);
    if (letter === undefined) throw new Error(`There is no dead letter of task "${id}".`);
    const contract = tasks.find(({ name }) => name === letter.task);
    const { payload } = editableLetter(letter, contract);
    const before = `${JSON.stringify(payload ?? {}, undefined, 2)}\n`;
    const { text, path, remove } = await editText(before, `${letter.task}.json`);
    if (text !== before) {
      try {
        await replayEdited(client, { letter, contract, text }, flags);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new Error(`${reason} Your text is kept in ${path}.`, { cause: error });
      }
    }
    await remove();
    if (text === before) throw new Error('The payload was not changed; nothing was replayed.');
    if (flags.json) printJson({ id, replayed: 1 });
    else console.log('Replayed 1.');
  });
}

/** Shows what changes, asks, and replays. */
async function replayEdited(
  { deadLetters }: JobsClient,
  { letter, contract, text }: { letter: DeadLetter; contract: TaskContract | undefined; text: string },
  { expires, yes, json }: EditFlags,
): Promise<void> {
  const given = parseInput(text, 'The payload');
  const { problems, difference } = checkPayload(letter, contract, given);
  if (!json) printDifference(difference);
  if (problems.length > 0) throw new Error(`The task would refuse this payload: ${problems.join('; ')}.`);
  if (!yes && !(await confirm('Type "replay" to run the task again with this payload: ', 'replay')))
    throw new Error('Nothing was replayed.');
  await deadLetters.replay(letter.id, {
    payload: editedPayload(letter, contract, given),
    ifSequence: letter.sequence,
    ...(expires === undefined ? {} : { expires }),
  });
}

function printDifference(lines: readonly DifferenceLine[]): void {
  for (const { change, text } of lines) {
    if (change === 'same') console.log(`  ${text}`);
    else if (change === 'removed') console.log(styled('red', `- ${text}`));
    else console.log(styled('green', `+ ${text}`));
  }
}
