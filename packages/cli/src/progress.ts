/** A bar on a terminal's standard error; elsewhere nothing, so that neither logs nor JSON are disturbed. */
import { printable } from './terminal.js';

export interface ProgressBar {
  /** Something goes on, and nobody knows for how long. */
  wait(note: string): void;
  advance(done: number, total: number, note?: string): void;
  stop(): void;
}

/** @param unit of what is counted, for example `dead letters` */
export async function progressBar(unit: string): Promise<ProgressBar> {
  const { SingleBar } = await import('cli-progress');
  const bar = new SingleBar({
    format: `{bar} {value}/{total} ${unit} {note}`,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 30,
    clearOnComplete: true,
    hideCursor: true,
    gracefulExit: false,
  });
  let started = false;
  const show = (done: number, total: number, note: string): void => {
    const shown = { note: printable(note) };
    if (started) bar.setTotal(total);
    else bar.start(total, done, shown);
    started = true;
    bar.update(done, shown);
  };
  return {
    wait: (note) => show(0, 1, note),
    advance: (done, total, note = '') => show(done, total, note),
    stop: () => {
      if (started) bar.stop();
    },
  };
}
