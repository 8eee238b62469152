import type {
  ArgumentDeclaration,
  CommandDeclaration,
  OptionDeclaration,
  TopLevelCommand,
} from '../frame/declaration.js';
import { tenantOption } from '../frame/places.js';
import { count, duration, integer, jsonObject, plainName, repeated } from '../frame/value-types.js';

const id: ArgumentDeclaration = { name: '<id>', description: 'id of the endpoint' };
const secret: OptionDeclaration = {
  flags: '--secret <secret>',
  description: 'secret that the sender made; - reads standard input',
};
const filter: readonly OptionDeclaration[] = [
  {
    flags: '--state <state>',
    description: 'only deliveries in this state',
    choices: async () => (await import('@stratum/shared/webhooks')).INBOUND_DELIVERY_STATES,
  },
  { flags: '--type <type>', description: 'only deliveries of this event type' },
];

const onEndpoint = (name: 'pause' | 'resume' | 'remove', summary: string): CommandDeclaration => ({
  name,
  summary,
  arguments: [id],
  options: [tenantOption],
  examples: ['<id> --tenant 1'],
  run: async () => (await import('./webhooks.js'))[name],
});

export const webhooksCommand: TopLevelCommand = {
  group: 'HTTP API and webhooks',
  summary: 'Manage inbound webhook endpoints and their deliveries.',
  commands: [
    {
      name: 'list',
      summary: 'List the endpoints of a tenant.',
      options: [tenantOption],
      examples: ['--tenant 1'],
      run: async () => (await import('./webhooks.js')).list,
    },
    {
      name: 'create',
      summary: 'Create an endpoint. A generated secret is shown only once.',
      arguments: [
        {
          name: '<source>',
          description: 'sender of the webhooks',
          choices: async () => (await import('@stratum/shared/webhooks')).SOURCE_NAMES,
        },
        { name: '<name>', description: 'purpose of the endpoint', type: plainName },
      ],
      options: [
        tenantOption,
        secret,
        {
          flags: '--settings <json>',
          description: 'settings of the sender, and tasks to start, a JSON object',
          type: jsonObject,
        },
      ],
      examples: [
        'stripe "Shop payments" --tenant 1 --secret -',
        `github Deploys --tenant 1 --settings '{"tasks":[{"on":"push","task":"evaluate_rules"}]}'`,
      ],
      notes: async () => (await import('./webhooks.js')).sourcesHelp(),
      run: async () => (await import('./webhooks.js')).create,
    },
    {
      name: 'rotate',
      summary: 'Give an endpoint a new secret. The previous one works for another day.',
      arguments: [id],
      options: [
        tenantOption,
        secret,
        {
          flags: '--grace <duration>',
          description: 'how long the previous secret works, such as 1h; default: 1d',
          type: duration,
        },
      ],
      examples: ['<id> --tenant 1'],
      run: async () => (await import('./webhooks.js')).rotate,
    },
    {
      name: 'set',
      summary: 'Change settings of an endpoint. Settings that are not named stay.',
      arguments: [id],
      options: [
        tenantOption,
        { flags: '--settings <json>', description: 'the settings, a JSON object', type: jsonObject },
        {
          flags: '--pipelines <file>',
          description: 'of HubSpot: the answer of GET /crm/v3/pipelines/deals; - reads standard input',
        },
      ],
      examples: [
        '<id> --tenant 1 --pipelines pipelines.json',
        `<id> --tenant 1 --settings '{"stages":{"987654":"won"}}'`,
      ],
      run: async () => (await import('./webhooks.js')).set,
    },
    onEndpoint('pause', 'Refuse deliveries: senders get 404 and retry for a while.'),
    onEndpoint('resume', 'Accept deliveries again.'),
    onEndpoint('remove', 'Remove an endpoint. Deliveries that it has accepted are still processed.'),
    {
      name: 'deliveries',
      summary: 'List the deliveries of an endpoint, newest first.',
      arguments: [id],
      options: [
        tenantOption,
        ...filter,
        {
          flags: '--limit <count>',
          description: 'most deliveries to list',
          type: integer(1, 10_000),
          default: 20,
        },
      ],
      examples: ['<id> --tenant 1 --state failed'],
      run: async () => (await import('./webhook-deliveries.js')).list,
    },
    {
      name: 'show',
      summary: 'Show a delivery with its body.',
      arguments: [{ name: '<delivery>', description: 'number of the delivery', type: count }],
      options: [tenantOption],
      examples: ['17 --tenant 1'],
      run: async () => (await import('./webhook-deliveries.js')).show,
    },
    {
      name: 'replay',
      summary: 'Process deliveries again: those named, or all of an endpoint that match.',
      arguments: [{ name: '[deliveries...]', description: 'numbers of deliveries', type: repeated(count) }],
      options: [
        tenantOption,
        ...filter,
        {
          flags: '--endpoint <id>',
          description: 'all deliveries of this endpoint that match --state and --type',
        },
      ],
      examples: ['17 18 --tenant 1', '--tenant 1 --endpoint <id> --state failed'],
      run: async () => (await import('./webhook-deliveries.js')).replay,
    },
  ],
};
