/** What a producer asked for and what it was answered: written before and after each request, so that a killed producer goes on there. */
import { appendFile, readFile } from 'node:fs/promises';

export interface Answers {
  /** How often it was asked for. More often than once: an answer was lost, and what it said is unknown. */
  asked: number;
  /** The task that it was answered to be, itself or the holder of its unique key. */
  holder?: string;
  /** Code of a refusal, which has to be certain. */
  refused?: string;
}

export class Journal {
  private constructor(
    private readonly path: string,
    private readonly entries: Map<string, Answers>,
  ) {}

  static async open(path: string): Promise<Journal> {
    return new Journal(path, await readJournal(path));
  }

  isSettled(id: string): boolean {
    const entry = this.entries.get(id);
    return entry?.holder !== undefined || entry?.refused !== undefined;
  }

  asking(ids: readonly string[]): Promise<void> {
    return appendFile(this.path, ids.map((id) => `ask ${id}\n`).join(''));
  }

  accepted(answers: readonly { id: string; holder: string }[]): Promise<void> {
    return appendFile(this.path, answers.map(({ id, holder }) => `told ${id} ${holder}\n`).join(''));
  }

  refused(id: string, code: string): Promise<void> {
    return appendFile(this.path, `refused ${id} ${code}\n`);
  }
}

export async function readJournal(path: string): Promise<Map<string, Answers>> {
  const entries = new Map<string, Answers>();
  const lines = (await readFile(path, 'utf8').catch(() => '')).split('\n');
  // The last line was cut if its writer was killed.
  for (const line of lines.slice(0, -1)) {
    const [verb, id = '', detail] = line.split(' ');
    const entry = entries.get(id) ?? { asked: 0 };
    entries.set(id, entry);
    if (verb === 'ask') entry.asked++;
    else if (verb === 'told' && detail !== undefined) entry.holder = detail;
    else if (verb === 'refused' && detail !== undefined) entry.refused = detail;
  }
  return entries;
}
