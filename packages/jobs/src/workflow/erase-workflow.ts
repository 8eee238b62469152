/** Reads all values of the workflows, and removes all of one, whatever its state. */
import type { NatsConnection } from '@nats-io/nats-core';
import type { StoredMessage } from '../broker/batch.js';
import { scanStream } from '../broker/scan.js';
import type { StreamAccess } from '../broker/stream-access.js';
import type { Names } from '../wire/names.js';
import { workflowKeys } from './bucket.js';

export interface WorkflowValue {
  /** Of the workflow. */
  id: string;
  isManifest: boolean;
  message: StoredMessage;
}

export async function* scanValues(connection: NatsConnection, names: Names): AsyncGenerator<WorkflowValue> {
  const head = names.workflowKey('').length;
  for await (const message of scanStream(connection, names.workflowStream, names.workflowKeyFilter)) {
    const [kind, id] = message.subject.slice(head).split('.');
    if (id !== undefined && kind !== 'owner') yield { id, isManifest: kind === 'manifest', message };
  }
}

export async function purgeKeys(
  streams: Pick<StreamAccess, 'purge'>,
  names: Names,
  id: string,
): Promise<void> {
  for (const key of workflowKeys.all(id)) await streams.purge(names.workflowStream, names.workflowKey(key));
}
