/** What TikTok refuses and leaves out, the sandbox refuses and leaves out. */
import { startSandbox } from '../../index.js';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';

const envelope = z.object({
  code: z.int(),
  message: z.string(),
  data: z.object({ list: z.array(z.record(z.string(), z.unknown())).optional() }),
});

async function ask(path: string, query: Record<string, unknown>): Promise<z.output<typeof envelope>> {
  const sandbox = await startSandbox({ campaignsPerAccount: 3 });
  onTestFinished(() => sandbox.stop());
  const url = new URL(`${sandbox.endpoints.TIKTOK_BASE_URL}${path}`);
  for (const [name, value] of Object.entries(query))
    url.searchParams.set(name, typeof value === 'string' ? value : JSON.stringify(value));
  const response = await fetch(url, { headers: { 'access-token': 'sandbox-tiktok-token' } });
  return envelope.parse(await response.json());
}

const ACCOUNT = '3000000001';

test.each([
  ['/campaign/get/', { advertiser_id: ACCOUNT }, ['campaign_id', 'campaign_name'], 'campaign_budget'],
  ['/ad/get/', { advertiser_id: ACCOUNT }, ['ad_id', 'ad_name'], 'adid'],
  ['/advertiser/info/', { advertiser_ids: [ACCOUNT] }, ['currency', 'name'], 'time_zone'],
])(
  '%s answers with the fields that were asked for, and refuses unknown ones',
  async (path, query, known, unknown) => {
    const { code, data } = await ask(path, { ...query, fields: known });
    expect(code).toBe(0);
    for (const node of data.list ?? []) expect(Object.keys(node).toSorted()).toEqual(known);
    expect(data.list?.length).toBeGreaterThan(0);
    expect(await ask(path, { ...query, fields: [...known, unknown] })).toMatchObject({
      code: 40002,
      message: expect.stringContaining('fields'),
    });
  },
);

test('a filter that TikTok does not have is refused', async () => {
  const answer = await ask('/campaign/get/', {
    advertiser_id: ACCOUNT,
    filtering: { buying_type: 'AUCTION' },
  });
  expect(answer).toMatchObject({ code: 40002, message: expect.stringContaining('filtering') });
});
