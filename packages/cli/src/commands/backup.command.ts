import type { TopLevelCommand } from '../frame/declaration.js';
import { integer, time } from '../frame/value-types.js';

const MAX_REPLICAS = 5;

export const backupCommand: TopLevelCommand = {
  group: 'Backup',
  summary: 'Copy streams, buckets and database into a new folder, while everything runs.',
  description:
    'Streams first, the database last: whatever happens in between is done again or listed after a restore, and nothing is lost unseen. The manifest is written last; a folder without one is no backup.',
  arguments: [{ name: '<folder>', description: 'where it goes; must not exist, or be empty' }],
  options: [{ flags: '--without-database', description: 'copy streams and buckets alone' }],
  examples: ['/var/backups/stratum/2026-11-30', './before-upgrade --without-database'],
  notes:
    'The files hold payloads and personal data, and only their owner can read them. The database needs pg_dump of its own version or newer.',
  run: async () => (await import('./backup.js')).backup,
};

export const restoreCommand: TopLevelCommand = {
  group: 'Backup',
  summary: 'Bring streams, buckets and database to the state of a backup.',
  description:
    'Checks every file before it changes anything. Refused while somebody takes tasks, and where something is in the way.',
  arguments: [{ name: '<folder>', description: 'of the backup' }],
  options: [
    { flags: '--check', description: 'only compare the files with their checksums' },
    { flags: '--replace', description: 'remove the streams and the database that are there' },
    { flags: '--without-database', description: 'leave the database as it is' },
    { flags: '--without-streams', description: 'leave streams and buckets as they are' },
    {
      flags: '--replicas <count>',
      description: 'copies of each stream; default: as in the backup',
      type: integer(1, MAX_REPLICAS),
    },
    { flags: '--yes', description: 'do not ask before anything is removed' },
  ],
  examples: ['/var/backups/stratum/2026-11-30 --check', '/var/backups/stratum/2026-11-30 --replace --yes'],
  run: async () => (await import('./backup.js')).restore,
};

export const lostCommand: TopLevelCommand = {
  group: 'Backup',
  summary: 'List what the database knows and the broker has lost, or would do again.',
  description:
    'For after a restore, before the workers start. Compares the history of tasks, the outbox, runs of syncs and published events with the streams.',
  options: [
    {
      flags: '--since <time>',
      description: 'look at ended tasks, syncs and events from then on',
      type: time,
      defaultText: 'a day ago',
    },
    { flags: '--republish', description: 'let the scheduler publish lost events again' },
  ],
  examples: ['', '--since 2026-11-30T06:00:00Z', '--republish --json'],
  notes: 'Fails with exit code 1 if something is lost; what only runs again is no loss.',
  run: async () => (await import('./backup.js')).lost,
};
