import { computeCdpSegment, DefinitionError, previewCdpSegment } from '@stratum/shared';
import { listSegments, saveSegment, segmentTreeSchema, type Segment } from '@stratum/shared/customer-data';
import { typed } from '../frame/invocation.js';
import { differenceOf } from '@stratum/shared/audit';
import { readJson } from '../input-file.js';
import { ago, optional, printJson, printTable, wrapped } from '../output.js';
import { asTenant, withTenantPool, type TenantOptions } from '../tenant-session.js';

export async function list(options: TenantOptions): Promise<void> {
  const segments = await read(options);
  if (options.json) printJson(segments);
  else if (segments.length === 0)
    console.log(
      `No segments. Create one with: ${typed(`segments save <name> <file> --tenant ${options.tenant}`)}`,
    );
  else printSegments(segments);
}

export async function show(name: string, options: TenantOptions): Promise<void> {
  const segment = (await read(options)).find((each) => each.name === name);
  if (segment === undefined)
    throw new Error(
      `Tenant ${options.tenant} has no segment "${name}". List its segments with: ${typed(`segments list --tenant ${options.tenant}`)}`,
    );
  if (options.json) {
    printJson(segment);
    return;
  }
  printSegments([segment]);
  console.log(JSON.stringify(segment.definition, undefined, 2));
}

export async function save(name: string, file: string, { tenant, json }: TenantOptions): Promise<void> {
  const definition = await readJson(file, 'The definition');
  let task = '';
  const id = await asTenant({ tenant, subject: 'segment' }, async ({ client, audit, afterCommit }) => {
    const before = (await listSegments(client)).find((each) => each.name === name);
    const saved = await saveSegment(client, { name, definition });
    const difference = differenceOf(before, { ...before, name, definition });
    await audit('segment.saved', saved, { name, ...difference });
    afterCommit(async (tasks) => {
      const payload = { segment_id: saved, tenant_id: tenant };
      task = (await tasks.enqueue(computeCdpSegment, payload)).id;
    });
    return saved;
  });
  if (json) printJson({ id, name, computation: task });
  else console.log(`Saved “${name}”. Follow its computation with: ${typed(`result ${task} --wait 60s`)}`);
}

const PREVIEW_TIMEOUT_MS = 60_000;

export async function preview(file: string, { tenant, json }: TenantOptions): Promise<void> {
  const { data: definition, error } = segmentTreeSchema.safeParse(await readJson(file, 'The definition'));
  if (definition === undefined) throw new DefinitionError('segment', error);
  const found = await withTenantPool({ tenant, subject: 'segment' }, async (_pool, _audit, tasks) => {
    const { id } = await tasks.enqueue(previewCdpSegment, { tenant_id: tenant, definition });
    const record = await tasks.result(id, { timeoutMs: PREVIEW_TIMEOUT_MS });
    if (record.state === 'SUCCESS') return previewCdpSegment.output.parse(record.result);
    throw new Error(`The preview ended as ${record.state}: ${record.error?.message ?? 'no error'}.`);
  });
  if (json) return printJson(found);
  console.log(`The segment would hold ${found.profile_count} of ${found.all_profiles} profiles.`);
  if (found.unreadable.length === 0) return;
  console.log('Values that it cannot read, which compare with nothing:');
  printTable(
    [wrapped('field'), 'as', 'values'],
    found.unreadable.map(({ field, as, values }) => [field, as, values]),
  );
}

function read({ tenant }: TenantOptions): Promise<Segment[]> {
  return asTenant({ tenant, subject: 'segment' }, ({ client }) => listSegments(client));
}

function printSegments(segments: readonly Segment[]): void {
  printTable(
    ['id', 'name', 'profiles', 'computed', optional('depends on')],
    segments.map((segment) => [
      String(segment.id),
      segment.name,
      segment.profileCount,
      ago(segment.lastComputedAt),
      segment.dependsOn.join(', ') || null,
    ]),
  );
}
