import type { TopLevelCommand } from '../frame/declaration.js';
import { count, duration, integer } from '../frame/value-types.js';

const workflowId = { name: '<id>', description: 'id of the workflow' };

export const workflowCommand: TopLevelCommand = {
  group: 'Tasks',
  summary: 'Start, show, list and cancel chains, groups and chords of tasks.',
  commands: [
    {
      name: 'start',
      summary: 'Start a workflow.',
      arguments: [
        {
          name: '<definition>',
          description: 'a JSON object, the path of a JSON file, or - for standard input',
        },
      ],
      options: [
        { flags: '--id <id>', description: 'id of the workflow; default: generated' },
        { flags: '--tenant <id>', description: "tenant that owns the workflow; default: the payloads'" },
        {
          flags: '--wait [timeout]',
          description: 'wait for the end, for at most this time; default: 60s',
          type: duration,
        },
      ],
      examples: [
        `--wait '{"chain": [{"task": "sync_campaign_data", "payload": {"tenant_id": 1, "platform": "meta"}},\n    {"task": "evaluate_rules", "payload": {"tenant_id": 1}}]}'`,
      ],
      run: async () => (await import('./workflow.js')).start,
    },
    {
      name: 'show',
      summary: 'Show a workflow with all its steps.',
      arguments: [workflowId],
      examples: ['nightly-report'],
      run: async () => (await import('./workflow.js')).show,
    },
    {
      name: 'cancel',
      summary: 'Cancel a workflow: its queued, running and later steps.',
      arguments: [workflowId],
      options: [{ flags: '--terminate', description: 'stop running steps at once' }],
      examples: ['nightly-report'],
      run: async () => (await import('./workflow.js')).cancel,
    },
    {
      name: 'list',
      summary: 'List workflows, newest first.',
      options: [
        { flags: '--tenant <id>', description: 'only workflows of this tenant' },
        {
          flags: '--state <state>',
          description: 'only workflows in this state',
          choices: async () => (await import('@stratum/jobs')).WORKFLOW_STATES,
        },
        {
          flags: '--limit <count>',
          description: 'most workflows to list',
          type: integer(1, 1_000),
          default: 50,
        },
        {
          flags: '--before <position>',
          description: 'the next page: the position that the page before printed',
          type: count,
        },
      ],
      examples: ['--state FAILURE'],
      run: async () => (await import('./workflow.js')).list,
    },
  ],
};
