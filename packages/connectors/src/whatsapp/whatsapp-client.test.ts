import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { WhatsAppClient, type SendResult } from './whatsapp-client.js';

async function answerTo(
  status: number,
  body: unknown,
  to = '4915100000',
): Promise<{ result: SendResult; sent: unknown }> {
  let sent = '';
  const server = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => (sent += chunk.toString()));
    request.on('end', () => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on a port
  const { port } = server.address() as AddressInfo;
  const client = new WhatsAppClient({ baseUrl: `http://127.0.0.1:${port}`, timeoutMs: 5_000 });
  const result = await client.send(
    { phoneNumberId: '1', accessToken: 't', to, reference: '7', content: { kind: 'text', body: 'x' } },
    new AbortController().signal,
  );
  return { result, sent: JSON.parse(sent) };
}

test.each([
  [131016, undefined, 'later'],
  [131057, undefined, 'later'],
  [131056, undefined, 'later'],
  [133004, undefined, 'later'],
  [133015, undefined, 'later'],
  [613, undefined, 'later'],
  [80008, undefined, 'later'],
  [133010, undefined, 'account_paused'],
  [133000, undefined, 'account_paused'],
  [131037, undefined, 'account_paused'],
  [134011, undefined, 'account_paused'],
  [102, undefined, 'account_paused'],
  [131005, undefined, 'account_paused'],
  [131045, undefined, 'account_paused'],
  [100, 33, 'account_paused'],
  [190, undefined, 'account_paused'],
  [100, undefined, 'failed'],
  [131026, undefined, 'failed'],
  [131050, undefined, 'opted_out'],
  [131000, undefined, 'unknown'],
])('the code %d with the subcode %s means: %s', async (code, subcode, outcome) => {
  for (const status of [400, 500]) {
    if (outcome === 'failed' && status === 500) continue;
    const { result } = await answerTo(status, { error: { code, error_subcode: subcode, message: 'x' } });
    expect(result.outcome).toBe(outcome);
    if (result.outcome === 'later') expect(result.isAway).toBe(code === 131016 || code === 133004);
  }
});

test('an answer from Brazil names the recipient without the ninth digit', async () => {
  const fixture = new URL('../../../../test/fixtures/whatsapp-brazil-reply.json', import.meta.url);
  const body: unknown = JSON.parse(readFileSync(fixture, 'utf8'));
  expect((await answerTo(200, body, '5551999887766')).result).toMatchObject({
    outcome: 'accepted',
    providerId: 'wamid.BR1',
    knownAs: ['555199887766'],
  });
});

test('an accepted message says what WhatsApp calls the recipient', async () => {
  const body = {
    contacts: [{ input: '5551999887766', wa_id: '555199887766', user_id: 'BR.1' }],
    messages: [{ id: 'wamid.BR1' }],
  };
  expect(await answerTo(200, body)).toMatchObject({
    result: { outcome: 'accepted', providerId: 'wamid.BR1', knownAs: ['555199887766', 'BR.1'] },
    sent: { to: '4915100000' },
  });
  expect((await answerTo(200, body, 'BR.1')).sent).toMatchObject({ recipient: 'BR.1' });
});

test('of an answer without an end a megabyte is read, and whether the message was sent is unknown', async () => {
  let sent = 0;
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const more = (): void => {
      while (!response.destroyed && response.write(' '.repeat(65_536))) sent += 65_536;
    };
    response.on('drain', more);
    more();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => server.close().closeAllConnections());
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on a port
  const { port } = server.address() as AddressInfo;
  const client = new WhatsAppClient({ baseUrl: `http://127.0.0.1:${port}`, timeoutMs: 60_000 });
  const result = await client.send(
    { phoneNumberId: '1', accessToken: 't', to: '1', reference: '7', content: { kind: 'text', body: 'x' } },
    new AbortController().signal,
  );
  expect(result.outcome).toBe('unknown');
  expect(sent).toBeLessThan(32 * 1024 * 1024);
});
