import type { CommandDeclaration, OptionDeclaration, TopLevelCommand } from '../frame/declaration.js';
import { duration, jsonObject, time } from '../frame/value-types.js';

const entry = { name: '<entry>', description: 'name of the entry' };

const entryOptions: OptionDeclaration[] = [
  { flags: '--task <task>', description: 'task type to run' },
  { flags: '--payload <json>', description: 'payload, a JSON object', type: jsonObject },
  {
    flags: '--cron <expression>',
    description: 'five fields: minute hour day month weekday; or six, with seconds first',
  },
  {
    flags: '--every <duration>',
    description: 'interval such as 90s or 6h, instead of --cron',
    type: duration,
  },
  {
    flags: '--time-zone <zone>',
    description: 'time zone of the cron expression, such as Europe/Berlin; default: UTC',
  },
  {
    flags: '--priority <priority>',
    description: "order within the queue; default: the task's",
    choices: async () => (await import('@stratum/jobs')).PRIORITIES,
  },
  { flags: '--jitter <duration>', description: 'delay each run by a random time up to this', type: duration },
  {
    flags: '--deadline <duration>',
    description: 'run a tick that is late by at most this as if on time; default: 60s',
    type: duration,
  },
  {
    flags: '--catch-up <policy>',
    description: 'which later ticks still run',
    choices: async () => (await import('@stratum/jobs')).CATCH_UP_POLICIES,
  },
  {
    flags: '--catch-up-window <duration>',
    description: 'catch up this far back; default: 1d',
    type: duration,
  },
  {
    flags: '--overlap <policy>',
    description: 'what to do while an earlier run has not ended',
    choices: async () => (await import('@stratum/jobs')).OVERLAP_POLICIES,
  },
  { flags: '--pause-on-failure', description: 'pause the entry when a run fails for good' },
];

const onEntry = (
  name: 'resume' | 'run' | 'remove' | 'show',
  summary: string,
  example: string,
): CommandDeclaration => ({
  name,
  summary,
  arguments: [entry],
  examples: [example],
  run: async () => (await import('./schedules.js'))[name],
});

export const schedulesCommand: TopLevelCommand = {
  group: 'Tasks',
  summary: 'List, show and change the schedule.',
  commands: [
    {
      name: 'list',
      summary: 'List all entries with their next and last runs.',
      examples: [''],
      run: async () => (await import('./schedules.js')).list,
    },
    onEntry('show', 'Show an entry: its next ten runs, its last run and missed ticks.', 'sync_all_campaigns'),
    {
      name: 'add',
      summary: 'Add an entry.',
      arguments: [{ name: '<name>', description: 'name of the entry' }],
      options: entryOptions,
      examples: [
        `nightly --task sync_campaign_data --payload '{"tenant_id":1,"platform":"meta"}' --cron '0 3 * * *' --time-zone Europe/Berlin`,
      ],
      run: async () => (await import('./schedules.js')).add,
    },
    {
      name: 'edit',
      summary: 'Change the given fields of an entry.',
      arguments: [entry],
      options: entryOptions,
      examples: ["nightly --cron '30 4 * * *'"],
      run: async () => (await import('./schedules.js')).edit,
    },
    {
      name: 'pause',
      summary: 'Pause an entry until it is resumed.',
      arguments: [entry],
      options: [{ flags: '--reason <text>', description: 'shown in the list', default: 'by hand' }],
      examples: ["sync_all_campaigns --reason 'Meta is down'"],
      run: async () => (await import('./schedules.js')).pause,
    },
    onEntry('resume', 'Resume an entry. Ticks missed during the pause do not run.', 'sync_all_campaigns'),
    onEntry('run', 'Run an entry now, outside its schedule.', 'run_all_predictions'),
    {
      name: 'backfill',
      summary: 'Run the ticks of an entry in a past range.',
      arguments: [entry],
      options: [
        {
          flags: '--from <time>',
          description: 'start of the range, excluded, such as 2026-11-20T00:00:00Z',
          type: time,
          required: true,
        },
        { flags: '--to <time>', description: 'end of the range, included; default: now', type: time },
        { flags: '--all-at-once', description: 'do not wait for each run to end before the next starts' },
      ],
      examples: ['calculate_daily_scores --from 2026-11-20T00:00:00Z'],
      run: async () => (await import('./schedules.js')).backfill,
    },
    onEntry('remove', 'Remove an entry.', 'nightly'),
  ],
};
