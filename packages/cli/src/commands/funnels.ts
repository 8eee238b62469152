import { computeCdpFunnel } from '@stratum/shared';
import {
  latestFunnelReport,
  listFunnels,
  saveFunnel,
  type FunnelReport,
  type StepReport,
} from '@stratum/shared/customer-data';
import { typed } from '../frame/invocation.js';
import { differenceOf } from '@stratum/shared/audit';
import { readJson } from '../input-file.js';
import { ago, printJson, printTable, styled, wrapped } from '../output.js';
import { asTenant, type TenantOptions } from '../tenant-session.js';

export async function list({ tenant, json }: TenantOptions): Promise<void> {
  const funnels = await asTenant({ tenant, subject: 'funnel' }, ({ client }) => listFunnels(client));
  if (json) printJson(funnels);
  else if (funnels.length === 0)
    console.log(`No funnels. Create one with: ${typed(`funnels save <name> <file> --tenant ${tenant}`)}`);
  else
    printTable(
      ['id', 'name', wrapped('steps'), 'computed'],
      funnels.map(({ id, name, definition, lastComputedAt }) => [
        String(id),
        name,
        definition.steps.map(({ event }) => event),
        ago(lastComputedAt),
      ]),
    );
}

export async function show(name: string, { tenant, json }: TenantOptions): Promise<void> {
  const { funnel, report } = await asTenant({ tenant, subject: 'funnel' }, async ({ client }) => {
    const funnels = await listFunnels(client);
    const found = funnels.find((each) => each.name === name) ?? funnels.find(({ id }) => String(id) === name);
    if (found === undefined)
      throw new Error(
        `Tenant ${tenant} has no funnel "${name}". List its funnels with: ${typed(`funnels list --tenant ${tenant}`)}`,
      );
    return { funnel: found, report: await latestFunnelReport(client, found.id) };
  });
  if (json) printJson({ ...funnel, report: report ?? null });
  else if (report === undefined) console.log('Not computed yet.');
  else printReport(funnel.name, report);
}

export async function save(name: string, file: string, { tenant, json }: TenantOptions): Promise<void> {
  const definition = await readJson(file, 'The definition');
  let task = '';
  const id = await asTenant({ tenant, subject: 'funnel' }, async ({ client, audit, afterCommit }) => {
    const before = (await listFunnels(client)).find((each) => each.name === name);
    const saved = await saveFunnel(client, { name, definition });
    const difference = differenceOf(before, { ...before, name, definition });
    await audit('funnel.saved', saved, { name, ...difference });
    afterCommit(async (tasks) => {
      const payload = { funnel_id: saved, tenant_id: tenant };
      task = (await tasks.enqueue(computeCdpFunnel, payload)).id;
    });
    return saved;
  });
  if (json) printJson({ id, name, computation: task });
  else console.log(`Saved “${name}”. Follow its computation with: ${typed(`result ${task} --wait 60s`)}`);
}

function printReport(name: string, { since, until, steps, breakdown }: FunnelReport): void {
  console.log(`${styled('bold', name)}, ${since.toISOString()} to ${until.toISOString()}`);
  printSteps(steps);
  for (const { value, steps: part } of breakdown) {
    console.log(`\n${value}`);
    printSteps(part);
  }
}

function printSteps(steps: readonly StepReport[]): void {
  printTable(
    [wrapped('step'), 'profiles', 'of previous', 'of first', '95 % interval', 'dropped', 'median time'],
    steps.map(({ event, profiles, conversion, overall, interval, dropped, median_seconds: median }) => [
      event,
      profiles,
      percent(conversion),
      percent(overall),
      interval === null ? null : `${percent(interval.low)} – ${percent(interval.high)}`,
      dropped,
      median === null ? null : `${Math.round(median).toLocaleString('en')} s`,
    ]),
  );
}

function percent(share: number | null): string | null {
  return share === null ? null : `${(100 * share).toFixed(1)} %`;
}
