/** How a program logs in to NATS, from its environment. The names are those of the `nats` command. */
import type { ConnectOptions } from './connect.js';

export const LOGIN_SETTINGS = [
  'NATS_URL',
  'NATS_CREDS',
  'NATS_NKEY',
  'NATS_CA',
  'NATS_CERT',
  'NATS_KEY',
] as const;
export type LoginSettings = { readonly [Setting in (typeof LOGIN_SETTINGS)[number]]?: string | undefined };

/** Options of `connectToNats`. A setting that is empty counts as absent. */
export function loginFrom(settings: LoginSettings): Omit<ConnectOptions, 'name'> {
  const tls = present({
    caFile: settings.NATS_CA,
    certFile: settings.NATS_CERT,
    keyFile: settings.NATS_KEY,
  });
  return {
    servers: settings.NATS_URL || 'nats://127.0.0.1:4222',
    ...present({ credsFile: settings.NATS_CREDS, nkeyFile: settings.NATS_NKEY }),
    ...(Object.keys(tls).length === 0 ? {} : { tls }),
  };
}

function present<Field extends string>(
  fields: Record<Field, string | undefined>,
): { [Name in Field]?: string } {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the absent ones are gone
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value)) as {
    [Name in Field]?: string;
  };
}
