import {
  discoverQueues,
  reconcileTopology,
  type TopologyReport,
  type SettingChange,
  type Topology,
} from '@stratum/jobs';
import type { NatsConnection } from '@nats-io/transport-node';
import { pino } from 'pino';
import { localApplication } from '../application.js';
import { operatorEvents } from '../audit/operator-events.js';
import { withNats } from '../broker-session.js';
import { printJson, printTable } from '../output.js';

interface ReconcileOptions {
  dryRun?: boolean;
  lower?: boolean;
  json?: boolean;
}

export async function reconcile({ dryRun = false, lower = false, json }: ReconcileOptions): Promise<void> {
  const application = await localApplication();
  const { prefix, report } = await withNats(async (connection, configuration) => {
    const topology = application.topology(configuration);
    await requireOwner(connection, topology);
    const done = await reconcileTopology(connection, topology, {
      dryRun,
      lower,
      logger: pino({ level: 'silent' }),
    });
    if (!dryRun) await recordChanges(connection, done);
    return { prefix: topology.names.prefix, report: done };
  });
  if (json) {
    printJson({ prefix, dry_run: dryRun, ...report });
    return;
  }
  const { created, updated, unchanged, changes, kept } = report;
  const detailed = new Set(changes.map(({ name }) => name));
  const rows = [
    ...created.map((name) => [name, dryRun ? 'to create' : 'created']),
    ...changes.map((change) => [change.name, `${dryRun ? 'to update' : 'updated'}: ${valuesOf(change)}`]),
    ...updated.filter((name) => !detailed.has(name)).map((name) => [name, dryRun ? 'to update' : 'updated']),
    ...kept.map((change) => [change.name, `kept: ${valuesOf(change)} only with --lower`]),
  ];
  if (rows.length > 0) printTable(['stream or consumer', 'change'], rows);
  console.log(
    rows.length === 0
      ? `All ${unchanged.length} streams and consumers with the prefix "${prefix}" are current.`
      : `\n${unchanged.length} unchanged.${dryRun ? ' Nothing was changed: this was a dry run.' : ''}`,
  );
}

/** Afterwards: what differs is known then, and a new installation has no stream of the audit log before. */
async function recordChanges(
  connection: NatsConnection,
  { created, updated, changes }: TopologyReport,
): Promise<void> {
  if (created.length + updated.length === 0) return;
  await operatorEvents(connection, { create: false })({
    action: 'topology.reconciled',
    subject: 'topology',
    details: { created, updated, changes },
  });
}

/** Queues that the application does not declare are another application's, which forgot its configuration file or shares the prefix. */
async function requireOwner(connection: NatsConnection, { names, queues }: Topology): Promise<void> {
  const present = await discoverQueues(connection, names.prefix);
  if (present.length === 0 || present.some((name) => queues.some((queue) => queue.name === name))) return;
  throw new Error(
    `The prefix "${names.prefix}" belongs to an application with other queues (${present.join(', ')}). Name its configuration file with --config, or choose another prefix.`,
  );
}

function valuesOf({ setting, from, to }: SettingChange): string {
  return `${setting} ${JSON.stringify(from)} → ${JSON.stringify(to)}`;
}
