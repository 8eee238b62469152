/** `npm run bench -- --peers`: other job systems on the same workload, where they are installed. */
import { bullmq } from './bullmq.js';
import { celery } from './celery.js';
import { graphileWorker } from './graphile-worker.js';
import { NotInstalled, type Peer, type PeerFigures } from './peer.js';
import { pgBoss } from './pg-boss.js';

const PEERS: readonly Peer[] = [bullmq, graphileWorker, pgBoss, celery];

export type PeerReport = { name: string; durability: string } & (
  ({ note?: string } & PeerFigures) | { missing: string }
);

/** One line for each system, the framework's first. */
export function peerTable(ours: PeerFigures, peers: readonly PeerReport[]): string {
  const own: PeerReport = {
    name: 'Stratum',
    durability: 'JetStream file store, synced every 2 min',
    ...ours,
  };
  const rows = [own, ...peers].map((report) => {
    const { name, durability } = report;
    if ('missing' in report) return [name, '–', '–', '–', '–', report.missing];
    const { enqueue, tasks, latency, note } = report;
    const figures = [enqueue, tasks].map((value) => Math.round(value).toLocaleString('en'));
    const times = `${(ours.tasks / tasks).toFixed(1)}×`;
    return [name, ...figures, times, latency.toFixed(2), [durability, note].filter(Boolean).join('; ')];
  });
  const header = ['SYSTEM', 'ENQUEUE/S', 'TASKS/S', 'STRATUM', 'LATENCY MS', 'DURABILITY'];
  const table = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const isText = (column: number): boolean => column === 0 || column === header.length - 1;
  const pad = (cell: string, column: number): string =>
    isText(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return table.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}

export async function benchPeers(
  rounds: number,
  onProgress: (name: string) => void,
): Promise<readonly PeerReport[]> {
  const reports: PeerReport[] = [];
  for (const { name, durability, note, measure } of PEERS) {
    onProgress(name);
    try {
      const figures = await measure(rounds);
      reports.push({ name, durability, ...(note === undefined ? {} : { note }), ...figures });
    } catch (error) {
      if (!(error instanceof NotInstalled)) throw error;
      reports.push({ name, durability, missing: error.message });
    }
  }
  return reports;
}
