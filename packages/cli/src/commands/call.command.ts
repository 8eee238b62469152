import type { TopLevelCommand } from '../frame/declaration.js';
import { taskArgument } from '../frame/places.js';
import { duration, field, integer, jsonObject } from '../frame/value-types.js';

export const callCommand: TopLevelCommand = {
  group: 'Tasks',
  summary: 'Enqueue a task.',
  arguments: [
    taskArgument,
    { name: '[payload]', description: 'payload, a JSON object; default: {}', type: jsonObject },
  ],
  options: [
    {
      flags: '-f, --field <name=value...>',
      description: 'set a field of the payload; adds to the JSON object, or replaces it',
      type: field,
    },
    {
      flags: '--delay <duration>',
      description: 'start no earlier than this from now, such as 60s',
      type: duration,
    },
    {
      flags: '--priority <priority>',
      description: 'order within the queue',
      choices: async () => (await import('@stratum/jobs')).PRIORITIES,
    },
    { flags: '--tenant <id>', description: "tenant that owns the task; default: the payload's" },
    { flags: '--id <id>', description: 'id of the task; default: generated' },
    {
      flags: '--max-retries <count>',
      description: 'retries after the first attempt',
      type: integer(0, 1_000),
    },
    {
      flags: '--unique-key <key>',
      description: 'refuse the task while another one with this key is queued or running',
    },
    {
      flags: '--unique-for <duration>',
      description: 'hold the unique key for this time, instead of until the task has ended',
      type: duration,
    },
    {
      flags: '--debounce <key>',
      description: 'of the calls with this key that come in quick succession run the last one',
    },
    {
      flags: '--quiet <duration>',
      description: 'with --debounce: start once no other call has come for this time; default: 30s',
      type: duration,
    },
    {
      flags: '--at-the-latest <duration>',
      description: 'with --debounce: start this long after the first call, whatever comes',
      type: duration,
    },
    { flags: '--expires <duration>', description: 'start no later than this from now', type: duration },
    {
      flags: '--wait [timeout]',
      description: 'wait for the result, for at most this time after its delay; default: 60s',
      type: duration,
    },
  ],
  examples: [
    `sync_campaign_data '{"tenant_id":1,"platform":"meta"}' --wait`,
    'sync_campaign_data -f tenant_id=1 -f platform=google --delay 60s',
    'sync_campaign_data -f tenant_id=1 -f platform=meta --debounce act_7 --quiet 30s',
    'sync_campaign_data --help        (lists the fields of the payload)',
  ],
  notes: async ([, name]) => {
    const { payloadHelp } = await import('./call.js');
    return `With --wait, the id is printed at once; with --json, it goes to standard error, and the record to standard output.
Ctrl-C ends the wait, not the task. Exit codes: 0 when the task succeeded; 1 when it failed, expired, was revoked or did
not end in time; 130 after Ctrl-C.${await payloadHelp(name)}`;
  },
  run: async () => (await import('./call.js')).call,
};
