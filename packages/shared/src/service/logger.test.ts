import { expect, test } from 'vitest';
import { secretsIn } from '../configuration/configuration.js';
import { lineWithoutSecrets } from './logger.js';

const KEY = Buffer.alloc(32, 5).toString('base64');
const ENVIRONMENT = {
  NATS_URL: 'tls://app:first word@nats-a.example.com:4222,nats://a-lone-token@nats-b.example.com',
  DATABASE_URL:
    'postgres://stratum:pass%2Fword-1@db.example.com/stratum?sslpassword=pass-word-2&sslmode=require',
  STRATUM_CREDENTIALS_KEY: `k1:${KEY}`,
  META_AD_LIBRARY_TOKEN: 'library"token',
  LOG_LEVEL: 'info',
};

test('the secrets of the settings are what --check-config hides', () => {
  expect(secretsIn(ENVIRONMENT).toSorted()).toEqual(
    ['first word', 'a-lone-token', 'pass%2Fword-1', 'pass-word-2', KEY, 'library"token'].toSorted(),
  );
  expect(secretsIn({ DATABASE_URL: 'no address', STRATUM_CREDENTIALS_KEY: 'no key' })).toEqual([]);
});

const line = (fields: object): string => JSON.stringify({ level: 50, ...fields });

test.each(secretsIn(ENVIRONMENT))('%s is hidden wherever it stands in a line, which stays JSON', (secret) => {
  const hide = lineWithoutSecrets(secretsIn(ENVIRONMENT));
  for (const text of new Set([secret, encodeURIComponent(secret), decodeURIComponent(secret)])) {
    const hidden = hide(line({ msg: `x${text}y`, err: { stack: [`at ${text}`], [text]: 1 } }));
    expect(hidden).not.toContain(JSON.stringify(text).slice(1, -1));
    expect(JSON.parse(hidden)).toMatchObject({ level: 50, msg: 'x***y' });
  }
});

test.each([
  ['a field', { a: { b: { c: { d: [{ accessToken: 'p1anted"\\x' }] } } } }],
  ['a field with underscores', { client_secret: 'p1anted' }],
  ['a header', { headers: { Authorization: 'p1anted', 'set-cookie': 'sid=p1anted' } }],
  ['JSON in a text', { msg: 'sent {"password": "p1anted"}' }],
  ['an address with a password', { msg: 'postgres://user:p1anted@db/x' }],
  ['a query', { msg: 'GET https://graph.example.com/me?fields=id&access_token=p1anted' }],
  ['a bearer token in a text', { msg: 'sent Bearer p1anted-0123456789' }],
  ['an API key', { msg: `sk_${'0'.repeat(16)}_${'p1anted'.padEnd(43, '0')}` }],
  ['the secret of a webhook', { msg: 'whsec_p1anted0123456789=' }],
  ['a JSON web token', { msg: ['eyJhbGciOiJI', 'eyJzdWIiOiIx', 'p1anted'].join('.') }],
])('%s is hidden', (_form, fields) => {
  const hidden = lineWithoutSecrets([])(line(fields));
  expect(hidden).toContain('***');
  expect(hidden).not.toContain('p1anted');
  expect(JSON.parse(hidden)).toHaveProperty('level', 50);
});

test('everything else is written as it was', () => {
  const plain = line({
    task: 'sync',
    tenant: 7,
    token_count: 3,
    msg: 'postgres://db/x?a=b the basics of it',
  });
  expect(lineWithoutSecrets(['short'])(plain)).toBe(plain);
});
