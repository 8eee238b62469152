/** An authority of a test's own, and certificates for 127.0.0.1 and for clients. */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { dataFolder } from './data-folder.js';

const run = promisify(execFile);

interface Certificates {
  folder: string;
  ca: string;
  server: { cert: string; key: string };
  client: { cert: string; key: string };
}

/** Made with `openssl`, and removed with the test. */
export async function certificates(): Promise<Certificates> {
  const folder = await dataFolder('stratum-tls-');
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = (name: string): string => join(folder, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const make = (name: string, ...words: readonly string[]): Promise<unknown> => {
    const out = ['-subj', `/CN=${name}`, '-keyout', file(`${name}.key`), '-out', file(`${name}.pem`)];
    return run('openssl', ['req', '-x509', ...key, ...out, ...words]);
  };
  await make('ca');
  const issue = async (name: string, extension: string): Promise<{ cert: string; key: string }> => {
    await make(name, '-addext', extension, '-CA', file('ca.pem'), '-CAkey', file('ca.key'));
    return { cert: file(`${name}.pem`), key: file(`${name}.key`) };
  };
  return {
    folder,
    ca: file('ca.pem'),
    server: await issue('server', 'subjectAltName=IP:127.0.0.1,DNS:localhost'),
    client: await issue('client', 'extendedKeyUsage=clientAuth'),
  };
}

/** Changes the shipped `listen.conf` as its comments say. */
export function withTls(listen: string, { cert, key }: Certificates['server']): string {
  return listen
    .replaceAll(/^# (tls \{|\}| {2}\w+_file:)/gm, '$1')
    .replace('/etc/nats/tls/server.pem', cert)
    .replace('/etc/nats/tls/server-key.pem', key);
}
