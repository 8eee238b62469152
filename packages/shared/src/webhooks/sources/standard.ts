/** Standard Webhooks (standardwebhooks.com), symmetric (`whsec_…`) and asymmetric (`whpk_…`, ed25519). */
import { createPublicKey, randomBytes, verify as verifyBytes } from 'node:crypto';
import { z } from 'zod';
import { jsonOrUndefined, textAt, textOf } from '../json.js';
import { anyFits, checkTime, headerOf, hmac, missing, WRONG_SIGNATURE } from '../signature.js';
import { MalformedWebhookError, type WebhookRequest, type WebhookSource } from '../source.js';

const settings = z.strictObject({});

const SYMMETRIC = 'whsec_';
const PUBLIC = 'whpk_';
const MIN_KEY_BYTES = 24;
const MAX_KEY_BYTES = 64;
const PUBLIC_KEY_BYTES = 32;
/** Bytes before the 32 of an ed25519 key in its DER form. */
const ED25519_DER = Buffer.from('302a300506032b6570032100', 'hex');
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const MAX_SIGNATURES = 10;

/** Svix, where the specification comes from, sends the same headers under its own name. */
function standardHeader(request: WebhookRequest, name: string): string | undefined {
  return headerOf(request, `webhook-${name}`) ?? headerOf(request, `svix-${name}`);
}

export const standard: WebhookSource<z.output<typeof settings>> = {
  name: 'standard',
  title: 'Standard Webhooks: whsec_… or whpk_…',
  secret: 'ours',
  newSecret: () => `${SYMMETRIC}${randomBytes(MIN_KEY_BYTES).toString('base64')}`,
  checkSecret: (secret) => {
    const text = secret.replace(/^wh(sec|pk)_/, '');
    const { length } = Buffer.from(text, 'base64');
    if (!BASE64.test(text)) return 'must be whsec_ or whpk_ and base64 behind it';
    if (secret.startsWith(PUBLIC)) return length === PUBLIC_KEY_BYTES ? undefined : 'must hold 32 bytes';
    return length >= MIN_KEY_BYTES && length <= MAX_KEY_BYTES ? undefined : 'must hold 24 to 64 bytes';
  },
  settings,
  keptHeaders: ['webhook-id', 'webhook-timestamp', 'svix-id', 'svix-timestamp'],
  verify: (request, { secrets, now }) => {
    const [id, time, header] = ['id', 'timestamp', 'signature'].map((name) => standardHeader(request, name));
    if (id === undefined) return missing('webhook-id');
    if (header === undefined) return missing('webhook-signature');
    const inTime = checkTime(time ?? '', now);
    if (inTime !== 'valid') return inTime;
    const signatures = header.split(' ');
    const parts = [`${id}.${time}.`, request.body];
    const symmetric = secrets.filter((secret) => !secret.startsWith(PUBLIC));
    const fits = anyFits(
      signatures,
      symmetric,
      (secret) => `v1,${hmac('sha256', 'base64', keyOf(secret), parts)}`,
    );
    const data = Buffer.concat([Buffer.from(`${id}.${time}.`), request.body]);
    const isSigned = secrets.some(
      (secret) => secret.startsWith(PUBLIC) && signedByOwner(secret, signatures, data),
    );
    return fits || isSigned ? 'valid' : WRONG_SIGNATURE;
  },
  events: (request) => {
    const id = standardHeader(request, 'id');
    if (id === undefined) throw new MalformedWebhookError('The header webhook-id is missing.');
    const body = textOf(request);
    return [{ key: id, identity: id, type: typeOf(body), body }];
  },
};

function keyOf(secret: string): Buffer {
  return Buffer.from(secret.startsWith(SYMMETRIC) ? secret.slice(SYMMETRIC.length) : secret, 'base64');
}

function signedByOwner(secret: string, signatures: readonly string[], data: Buffer): boolean {
  const raw = Buffer.from(secret.slice(PUBLIC.length), 'base64');
  const key = createPublicKey({ key: Buffer.concat([ED25519_DER, raw]), format: 'der', type: 'spki' });
  return signatures.slice(0, MAX_SIGNATURES).some((signature) => {
    const text = signature.startsWith('v1a,') ? signature.slice('v1a,'.length) : '';
    const bytes = Buffer.from(text, 'base64');
    return bytes.toString('base64') === text && verifyBytes(null, data, key, bytes);
  });
}

/** The specification suggests `type`; it does not demand a body of JSON. */
function typeOf(body: string): string {
  return textAt(jsonOrUndefined(body), 'type') ?? 'unknown';
}
