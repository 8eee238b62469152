import type { OptionDeclaration, TopLevelCommand } from '../frame/declaration.js';
import { count, integer, time } from '../frame/value-types.js';

const tenant: OptionDeclaration = {
  flags: '--tenant <id>',
  description: "id of the tenant; default: the platform's own events",
  type: count,
};
const filters: readonly OptionDeclaration[] = [
  tenant,
  { flags: '--actor <actor>', description: 'only of this actor, such as key/<id> or cli/ann@host' },
  { flags: '--action <action>', description: 'only this action; a * at its end stands for any rest: key.*' },
  { flags: '--subject <subject>', description: 'only about this, such as queue/sync' },
  { flags: '--since <time>', description: 'not before this time', type: time },
  { flags: '--until <time>', description: 'before this time', type: time },
];

export const auditCommand: TopLevelCommand = {
  group: 'Tenants and their data',
  summary: 'Read, verify and export the audit log.',
  commands: [
    {
      name: 'list',
      summary: 'List who changed or read what, newest first.',
      description: 'Events arrive within a minute.',
      options: [
        ...filters,
        { flags: '--limit <count>', description: 'events to show', type: integer(1, 1_000), default: 50 },
        { flags: '--before <sequence>', description: 'those before this one: the next page', type: count },
      ],
      examples: ['--tenant 1 --action "key.*"', '--since 2026-11-01T00:00:00Z'],
      run: async () => (await import('./audit.js')).list,
    },
    {
      name: 'verify',
      summary: 'Check that no event was changed, removed or added.',
      description: 'Fails when one was, or when events are older than their anchors say.',
      options: [
        { ...tenant, description: 'id of the tenant; default: all, and the platform' },
        {
          flags: '--anchors <file>',
          description: 'anchors that AUDIT_ANCHOR_FILE kept, besides those of the broker',
        },
      ],
      examples: ['', '--anchors /mnt/append-only/anchors.ndjson'],
      run: async () => (await import('./audit.js')).verify,
    },
    {
      name: 'export',
      summary: 'Write all matching events to standard output, newest first.',
      options: [
        ...filters,
        {
          flags: '--format <format>',
          description: 'ndjson or csv',
          choices: ['ndjson', 'csv'],
          default: 'ndjson',
        },
      ],
      json: 'the same as --format ndjson: one JSON object a line',
      examples: ['--tenant 1 --format csv > audit.csv'],
      run: async () => (await import('./audit.js')).exportEvents,
    },
  ],
};
