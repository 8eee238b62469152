/** What `npm run bench` can be asked for. */
import { parseArgs } from 'node:util';

const OPTIONS = {
  json: { type: 'boolean', default: false },
  rounds: { type: 'string', default: '3' },
  'skip-sync': { type: 'boolean', default: false },
  peers: { type: 'boolean', default: false },
  anomalies: { type: 'boolean', default: false },
  backlog: { type: 'boolean', default: false },
  capacity: { type: 'boolean', default: false },
  cdp: { type: 'boolean', default: false },
  'dead-letters': { type: 'boolean', default: false },
  flow: { type: 'boolean', default: false },
  forecast: { type: 'boolean', default: false },
  'key-limits': { type: 'boolean', default: false },
  'letters-of-others': { type: 'boolean', default: false },
  history: { type: 'boolean', default: false },
  ingest: { type: 'boolean', default: false },
  outbox: { type: 'boolean', default: false },
  rules: { type: 'boolean', default: false },
  schedule: { type: 'boolean', default: false },
  shards: { type: 'boolean', default: false },
  webhooks: { type: 'boolean', default: false },
  workflows: { type: 'boolean', default: false },
  delayed: { type: 'string', default: '100000' },
  entries: { type: 'string', default: '100000' },
  events: { type: 'string', default: '300000' },
  letters: { type: 'string', default: '20000' },
  members: { type: 'string', default: '10000' },
  profiles: { type: 'string', default: '1000000' },
  runs: { type: 'string', default: '10000000' },
  waiting: { type: 'string', default: '1000000' },
  workers: { type: 'string', default: '1' },
} as const;

export type Flags = ReturnType<typeof read>;

const read = () => parseArgs({ options: OPTIONS }).values;

/** Ends the process for flags that it does not have. */
export function parseFlags(): Flags {
  try {
    return read();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(1);
  }
}
