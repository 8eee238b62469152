/** The memory of a run without a broker. */
import type { StepEntry } from '../steps/entry.js';
import type { Journal } from '../steps/journal.js';

export class MemoryJournal implements Journal {
  readonly entries = new Map<string, StepEntry>();

  async load(): Promise<void> {}

  async write(position: string, entry: StepEntry): Promise<boolean> {
    this.entries.set(position, entry);
    return true;
  }

  async clear(): Promise<void> {
    this.entries.clear();
  }
}
