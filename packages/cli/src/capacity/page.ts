/** The tables of docs/capacity.md, made of the measured costs. */
import type { Costs, UnitCost } from './costs.js';
import { DEPLOYMENTS } from './deployments.js';
import { inBytes } from './figures.js';
import { planFor } from './plan.js';

const UNITS: readonly [keyof Costs['units'], string][] = [
  ['task', 'task'],
  ['event', 'state change of a task'],
  ['webhook', 'webhook delivery'],
  ['customer_event', 'customer event'],
  ['sync_row', 'row of a sync'],
];
const PARTS: readonly [keyof UnitCost['cpu_us'], string][] = [
  ['nats', 'NATS'],
  ['postgresql', 'PostgreSQL'],
  ['worker', 'worker'],
  ['api', 'API'],
  ['projector', 'projector'],
];

/** The page with its tables written anew. @throws Error for a page without their places */
export function withCapacityTables(page: string, costs: Costs): string {
  return replaced(replaced(page, 'costs', costsTable(costs)), 'deployments', deploymentsTable(costs));
}

function replaced(page: string, name: string, text: string): string {
  const place = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- /${name} -->)`);
  if (!place.test(page)) throw new Error(`The page has no place for ${name}.`);
  return page.replace(place, (_, before: string, after: string) => `${before}\n${text}\n${after}`);
}

function costsTable({ measured_at: at, machine, units, check }: Costs): string {
  const rows = UNITS.map(([unit, name]) => {
    const cost = units[unit];
    return [
      name,
      ...PARTS.map(([part]) => String(cost.cpu_us[part])),
      String(cost.nats_disk_bytes),
      String(cost.postgresql_disk_bytes),
      String(cost.nats_wire_bytes),
      cost.count.toLocaleString('en'),
    ];
  });
  const head = [
    'one',
    ...PARTS.map(([, name]) => `${name}, µs`),
    'NATS disk, bytes',
    'PostgreSQL disk, bytes',
    'through NATS, bytes',
    'measured',
  ];
  return [
    table(head, rows),
    '',
    `Measured on ${at.slice(0, 10)}: ${machine.processor}, ${machine.cores} cores, Node.js ${machine.node}, NATS ${machine.nats}, everything on one machine.`,
    `The model beside it: ${check.slots} slots, ${check.tasks_per_second} tasks a second of ${check.service_ms} ms each waited ${check.measured_wait_ms} ms for a slot on average, and ${check.simulated_wait_ms} ms in the simulation.`,
    '',
  ].join('\n');
}

function deploymentsTable(costs: Costs): string {
  const plans = DEPLOYMENTS.map(({ load }) => ({ load, plan: planFor(costs, load) }));
  const row = (name: string, of: (each: (typeof plans)[number]) => string | number): string[] => [
    name,
    ...plans.map((each) => {
      const value = of(each);
      return typeof value === 'number' ? value.toLocaleString('en') : value;
    }),
  ];
  const text = table(
    ['', ...DEPLOYMENTS.map(({ name }) => name)],
    [
      row('tasks a second at the peak', ({ load }) => load.tasksPerSecond),
      row('webhooks, customer events, sync rows a second', ({ load }) =>
        [load.webhooksPerSecond, load.customerEventsPerSecond, load.syncRowsPerSecond]
          .map((value) => value.toLocaleString('en'))
          .join(', '),
      ),
      row('tenants; days kept', ({ load }) => `${load.tenants.toLocaleString('en')}; ${load.retentionDays}`),
      row('**cells**', ({ plan }) => plan.cells),
      row('workers of a cell, slots of each', ({ plan, load }) => `${plan.workers}, ${load.concurrency}`),
      row('API processes', ({ plan }) => plan.apiProcesses),
      row('streams of the busiest queue', ({ plan }) => plan.queueShards),
      row('NATS servers, cores of all', ({ plan }) => `${plan.natsServers}, ${plan.natsCores}`),
      row('disk of NATS, each copy', ({ plan }) => inBytes(plan.natsDiskBytes)),
      row(
        'PostgreSQL: cores, disk',
        ({ plan }) => `${plan.postgresqlCores}, ${inBytes(plan.postgresqlDiskBytes)}`,
      ),
      row('partitions of the history', ({ plan }) => plan.partitions),
      row('limit of a cell', ({ plan }) => plan.ceilings[0]?.part ?? ''),
    ],
  );
  return `${text}\n`;
}

/** As Prettier writes it. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(3, ...[title, ...rows.map((row) => row[column] ?? '')].map(({ length }) => length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
