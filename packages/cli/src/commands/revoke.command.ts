import type { TopLevelCommand } from '../frame/declaration.js';

export const revokeCommand: TopLevelCommand = {
  group: 'Tasks',
  summary: 'Revoke a task, queued or running; or all tasks that match.',
  arguments: [{ name: '[id]', description: 'id of the task' }],
  options: [
    { flags: '--terminate', description: 'stop a running task at once instead of aborting its signal' },
    { flags: '--queue <queue>', description: 'all tasks of this queue' },
    { flags: '--task <task>', description: 'all tasks of this type' },
    { flags: '--tenant <id>', description: 'all tasks of this tenant' },
  ],
  examples: ['my-id-1', '--task sync_campaign_data --tenant 7'],
  run: async () => (await import('./revoke.js')).revoke,
};
