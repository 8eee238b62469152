/** `docker compose up`: images are built, every service works with its own rights, scales, stops in time, and survives its servers. */
import { Validation, Spec } from '@cyclonedx/cyclonedx-library';
import { SERVICES } from '@stratum/shared';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { waitFor } from '../harness/index.js';
import { ComposeStack } from './compose-stack.js';

/** Images are built first. */
const UP_TIMEOUT_MS = 1_200_000;
const MAX_IMAGE_BYTES = 250e6;

const recordSchema = z.object({ state: z.string() });
const repliesSchema = z.array(z.object({ worker: z.string(), reply: z.unknown() }));

describe('docker compose', () => {
  let stack: ComposeStack;
  beforeAll(async () => {
    stack = await ComposeStack.create();
    await stack.up();
  }, UP_TIMEOUT_MS);
  afterAll(() => stack.remove(), UP_TIMEOUT_MS);

  const callsTask = async (): Promise<string> => {
    const args = ['call', 'check_pipeline_health', '{}', '--wait', '60s'];
    return (await stack.stratum(recordSchema, args)).state;
  };

  test('every service is healthy, is not root and writes no file of its image', async () => {
    const containers = await stack.containers();
    for (const service of SERVICES) {
      const container = containers.find(({ Service }) => Service === service);
      expect(container, service).toMatchObject({ State: 'running', Health: 'healthy' });
      const { Config, HostConfig, RestartCount } = await stack.inspect(container?.Name ?? '');
      expect({
        service,
        user: Config.User,
        readonly: HostConfig.ReadonlyRootfs,
        restarts: RestartCount,
      }).toEqual({
        service,
        user: '10001:10001',
        readonly: true,
        restarts: 0,
      });
    }
  });

  test.each([...SERVICES, 'cli'])('the image of %s is small, and lists its packages', async (service) => {
    expect(await stack.imageSize(service)).toBeLessThan(MAX_IMAGE_BYTES);
    const sbom = await stack.fileIn(service, '/app/sbom.cdx.json');
    expect(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(sbom)).toBeNull();
    const { components } = z
      .object({ components: z.array(z.object({ purl: z.string() })) })
      .parse(JSON.parse(sbom));
    expect(components.map(({ purl }) => purl)).toContainEqual(expect.stringMatching(/^pkg:npm\/zod@/));
  });

  test('runs a task that the command in a container enqueues', async () => {
    expect(await callsTask()).toBe('SUCCESS');
  });

  test('answers on this machine: the API, the dashboard, and Prometheus that scrapes all', async () => {
    const { api, dashboard, prometheus } = stack.ports;
    expect((await fetch(`http://127.0.0.1:${api}/healthz`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${dashboard}/`)).status).toBe(200);
    const targets = z.object({
      data: z.object({ activeTargets: z.array(z.object({ health: z.string(), scrapeUrl: z.string() })) }),
    });
    await waitFor('every service to be scraped', async () => {
      const answer = await fetch(`http://127.0.0.1:${prometheus}/api/v1/targets`);
      const { activeTargets } = targets.parse(await answer.json()).data;
      return activeTargets.length >= SERVICES.length && activeTargets.every(({ health }) => health === 'up');
    });
  });

  test('four sync workers share their queue', async () => {
    await stack.up(['--scale', 'sync-worker=4']);
    const answering = async (): Promise<number> => {
      const replies = await stack.stratum(repliesSchema, ['inspect', 'registered']);
      return replies.filter(({ reply }) => JSON.stringify(reply).includes('sync_campaign_data')).length;
    };
    await expect.poll(answering, { timeout: 60_000, interval: 1_000 }).toBe(4);
  });

  test('an idle worker ends in time, with exit code 0', async () => {
    await stack.compose(['stop', 'ml-worker']);
    const container = (await stack.containers()).find(({ Service }) => Service === 'ml-worker');
    expect(container).toMatchObject({ State: 'exited', ExitCode: 0 });
  });

  test.each(['nats', 'postgres'])('goes on after %s was killed', async (server) => {
    await stack.compose(['kill', server]);
    await stack.compose(['up', '--wait', '--no-deps', '--no-build', '--pull', 'never', server]);
    expect(await callsTask()).toBe('SUCCESS');
  });

  test('no log has a secret', async () => {
    const { stdout } = await stack.compose(['logs', '--no-color']);
    expect(stdout).toContain('worker started');
    expect(stack.secrets.filter((secret) => stdout.includes(secret))).toEqual([]);
  });
});
