import { withClient } from '../client-session.js';
import { printJson } from '../output.js';

interface SendOptions {
  tenant?: string;
  key?: string;
  id?: string;
  keep?: number;
  json?: boolean;
}

export async function sendEvent(name: string, payload: unknown, options: SendOptions): Promise<void> {
  const { keep, json, ...rest } = options;
  await withClient(async ({ client }) => {
    const sent = await client.sendEvent(name, payload ?? null, {
      ...rest,
      ...(keep === undefined ? {} : { keepForMs: keep }),
    });
    if (json) printJson(sent);
    else console.log(`${sent.id}${sent.duplicate ? ' (already sent)' : ''}  woke ${sent.woken} runs`);
  });
}
