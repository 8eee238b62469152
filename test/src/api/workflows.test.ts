/** Workflows over HTTP. */
import { handleTask, TaskError } from '@stratum/jobs';
import { evaluateRules, runPredictions, syncCampaignData } from '@stratum/shared';
import { describe, expect, test } from 'vitest';
import { noRules, openApi, OTHER_TENANT, TENANT, type Api } from './fixture.js';

const SYNCED = {
  accounts: 1,
  campaigns_read: 0,
  campaigns_updated: 0,
  campaigns_removed: 0,
  metric_rows_read: 0,
  metric_rows_written: 0,
};

function startWorkers(api: Api): { ran: string[] } {
  const ran: string[] = [];
  api.startWorker('sync', [
    handleTask(syncCampaignData, async ({ tenant_id, platform }) => {
      ran.push(platform);
      if (platform === 'tiktok') throw new TaskError('no such account', { retryable: false });
      return syncCampaignData.output.parse({
        ...SYNCED,
        tenant_id,
        platform,
        window: null,
        status: 'synced',
      });
    }),
  ]);
  api.startWorker('rules', [
    handleTask(evaluateRules, async ({ tenant_id }) => {
      ran.push('rules');
      return noRules(tenant_id);
    }),
  ]);
  return { ran };
}

const sync = (platform: string): object => ({ task: 'sync_campaign_data', payload: { platform } });
const REPORT = {
  chord: { group: [sync('meta'), sync('google')], callback: { task: 'evaluate_rules' } },
};

describe('a workflow over HTTP', () => {
  test('is started, waited for, and shown as a tree', async () => {
    const api = await openApi();
    const { ran } = startWorkers(api);
    const started = await api.call('POST', '/v1/workflows', { body: REPORT });
    expect(started).toMatchObject({ status: 202, body: { duplicate: false } });
    const path = `/v1/workflows/${String(started.body['id'])}`;
    const ended = await api.call('GET', `${path}/result?wait=30`);
    expect(ended).toMatchObject({ status: 200, body: { state: 'SUCCESS', result: { tenant_id: TENANT } } });
    expect(ran.toSorted()).toEqual(['google', 'meta', 'rules']);
    const shown = await api.call('GET', path);
    expect(shown).toMatchObject({
      status: 200,
      body: {
        tenant: String(TENANT),
        steps: { total: 3, SUCCESS: 3 },
        tree: {
          kind: 'chord',
          group: { members: [{ task: 'sync_campaign_data', state: 'SUCCESS' }, { state: 'SUCCESS' }] },
          callback: { task: 'evaluate_rules', state: 'SUCCESS' },
        },
      },
    });
    // It has ended: there is nothing to wait for.
    for (let time = 0; time < 20; time++) {
      expect(await api.call('GET', `/v1/workflows/${String(started.body['id'])}/result`)).toMatchObject({
        status: 200,
        body: { state: 'SUCCESS' },
      });
    }
    expect(await api.call('GET', '/v1/workflows')).toMatchObject({
      body: { items: [{ id: started.body['id'], state: 'SUCCESS' }] },
    });
  });

  test('that fails names the step', async () => {
    const api = await openApi();
    startWorkers(api);
    const body = { chain: [sync('meta'), sync('tiktok'), { task: 'evaluate_rules' }] };
    const started = await api.call('POST', '/v1/workflows', { body });
    const ended = await api.call('GET', `/v1/workflows/${String(started.body['id'])}/result?wait=30`);
    expect(ended).toMatchObject({
      status: 200,
      body: {
        state: 'FAILURE',
        result: null,
        failed: { path: 'chain[1]', task: 'sync_campaign_data', state: 'FAILURE' },
        error: { message: expect.stringContaining('no such account') },
      },
    });
  });

  test('is started once under an Idempotency-Key, and cancelled', async () => {
    const { call } = await openApi();
    const headers = { 'idempotency-key': 'nightly report' };
    const started = await call('POST', '/v1/workflows', { body: REPORT, headers });
    expect(await call('POST', '/v1/workflows', { body: REPORT, headers })).toMatchObject({
      status: 202,
      body: { id: started.body['id'], duplicate: true },
    });
    const path = `/v1/workflows/${String(started.body['id'])}`;
    expect(await call('GET', `${path}/result`)).toMatchObject({ status: 202, body: { state: 'STARTED' } });
    expect(await call('DELETE', path)).toMatchObject({ status: 200, body: { outcome: 'cancelled' } });
    expect(await call('GET', path)).toMatchObject({ body: { state: 'REVOKED', steps: { REVOKED: 3 } } });
    expect(await call('DELETE', path)).toMatchObject({ body: { outcome: 'ended' } });
  });

  test('that is invalid names the place', async () => {
    const { call } = await openApi();
    const wrong = [
      [{ chain: [sync('meta'), sync('myspace')] }, 'body.chain[1].payload.platform'],
      [{ chain: [] }, 'body.chain'],
      [{ group: [{ task: 'sync_all_campaigns' }] }, 'body.group[0].task'],
      [
        { chain: [{ ...sync('meta'), payload: { platform: 'meta' }, with: { tenant_id: '$previous.x' } }] },
        'body.chain[0].with.tenant_id',
      ],
      [{ task: 'evaluate_rules', options: { tenant: OTHER_TENANT } }, 'body.options.tenant'],
      [{ chain: [{ task: 'evaluate_rules', with: { x: '$previous' } }] }, 'body.chain[0].with'],
      [{}, 'body'],
    ] as const;
    for (const [body, field] of wrong) {
      expect(await call('POST', '/v1/workflows', { body }), field).toMatchObject({
        status: 422,
        body: { errors: [expect.objectContaining({ field })] },
      });
    }
    const foreign = { chain: [{ task: runPredictions.name, payload: { tenant_id: OTHER_TENANT } }] };
    expect(await call('POST', '/v1/workflows', { body: foreign })).toMatchObject({
      status: 403,
      body: { errors: [expect.objectContaining({ field: 'body.chain[0].payload.tenant_id' })] },
    });
  });
});
