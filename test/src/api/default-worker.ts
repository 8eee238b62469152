/** The default queue's worker beside the API of a test. */
import { createDefaultHandlers, type DefaultDependencies } from '@stratum/default-worker';
import { WhatsAppClient } from '@stratum/connectors/whatsapp';
import { parseKeyRing } from '@stratum/shared';
import { auditKeys } from '@stratum/shared/audit';
import { SafeFetch } from '@stratum/connectors/safe-fetch';
import type { Api } from './fixture.js';

/** Nobody listens there. */
const NOWHERE = 'http://127.0.0.1:9';

export function startDefaultWorker(
  api: Api,
  dependencies: Partial<Pick<DefaultDependencies, 'site' | 'deliveries'>> = {},
): void {
  const { database, connection, topology, client, prefix } = api;
  api.startWorker(
    'default',
    createDefaultHandlers({
      pool: database.as('stratum_default_worker'),
      connection,
      topology,
      client,
      prefix,
      keys: parseKeyRing(api.keyText),
      audit: { keys: auditKeys({ STRATUM_CREDENTIALS_KEY: parseKeyRing(api.keyText) }) },
      whatsapp: new WhatsAppClient({ baseUrl: NOWHERE, timeoutMs: 1_000 }),
      site: new SafeFetch({ allowedHosts: [] }),
      ...dependencies,
    }),
  );
}
