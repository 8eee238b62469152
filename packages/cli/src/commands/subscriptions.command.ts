import type { ArgumentDeclaration, CommandDeclaration, TopLevelCommand } from '../frame/declaration.js';
import { tenantOption } from '../frame/places.js';
import { integer, time } from '../frame/value-types.js';

const id: ArgumentDeclaration = { name: '<id>', description: 'id of the subscription' };

const onSubscription = (name: 'rotate' | 'pause' | 'remove', summary: string): CommandDeclaration => ({
  name,
  summary,
  arguments: [id],
  options: [tenantOption],
  examples: ['<id> --tenant 1'],
  run: async () => (await import('./subscriptions.js'))[name],
});

export const subscriptionsCommand: TopLevelCommand = {
  group: 'HTTP API and webhooks',
  summary: 'Manage outbound webhooks: subscriptions to events, and their deliveries.',
  commands: [
    {
      name: 'list',
      summary: 'List the subscriptions of a tenant.',
      options: [tenantOption],
      examples: ['--tenant 1'],
      run: async () => (await import('./subscriptions.js')).list,
    },
    {
      name: 'create',
      summary: 'Subscribe an address to events. Its secret is shown only once.',
      arguments: [{ name: '<url>', description: 'address that receives the events: https://…' }],
      options: [
        tenantOption,
        {
          flags: '--events <types>',
          description: 'event types, comma-separated, or all',
          choices: async () => (await import('@stratum/shared')).DOMAIN_EVENT_TYPES,
          list: true,
          required: true,
        },
        { flags: '--description <text>', description: 'purpose of the subscription', default: '' },
      ],
      examples: ['https://example.com/hooks --events campaign.paused,budget.depleted --tenant 1'],
      notes: 'The sandbox of `npm start` has a receiver: http://127.0.0.1:8100/receiver/demo',
      run: async () => (await import('./subscriptions.js')).create,
    },
    onSubscription('rotate', 'Give a subscription a new secret. The previous one signs for another day.'),
    {
      name: 'test',
      summary: "Send a test event and show the receiver's response.",
      arguments: [id],
      options: [tenantOption],
      examples: ['<id> --tenant 1'],
      run: async () => (await import('./deliveries.js')).test,
    },
    onSubscription('pause', 'Send no events until the subscription is resumed.'),
    {
      name: 'resume',
      summary: 'Send events again.',
      arguments: [id],
      options: [
        tenantOption,
        { flags: '--replay', description: 'also send the missed events' },
        {
          flags: '--since <time>',
          description: 'send events missed since this time; default: since the pause or the failure',
          type: time,
        },
      ],
      examples: ['<id> --tenant 1 --replay --since 2026-11-20T00:00:00Z'],
      run: async () => (await import('./subscriptions.js')).resume,
    },
    onSubscription('remove', 'Remove a subscription and its deliveries.'),
    {
      name: 'deliveries',
      summary: 'List deliveries, sent and queued, newest first.',
      arguments: [id],
      options: [
        tenantOption,
        {
          flags: '--state <state>',
          description: 'only deliveries in this state',
          choices: async () => (await import('@stratum/shared/subscriptions')).MESSAGE_STATES,
        },
        {
          flags: '--limit <count>',
          description: 'most deliveries to list',
          type: integer(1, 1_000),
          default: 20,
        },
      ],
      examples: ['<id> --tenant 1 --state failed'],
      run: async () => (await import('./deliveries.js')).list,
    },
    {
      name: 'replay',
      summary: 'Send an event again now, under the same webhook-id.',
      arguments: [id, { name: '<event>', description: 'id of the event, evt_…' }],
      options: [tenantOption],
      examples: ['<id> evt_17 --tenant 1'],
      run: async () => (await import('./deliveries.js')).replay,
    },
  ],
};
