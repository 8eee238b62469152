/** The commands of every kind of record. */
import { differenceOf } from '@stratum/shared/audit';
import {
  auditedAction,
  auditedFields,
  auditedKind,
  auditedReading,
  changeRecord,
  createRecord,
  findRecord,
  idOfRecord,
  listRecords,
  RECORD_KINDS,
  removeRecord,
  type Fields,
  type RecordKind,
} from '@stratum/shared/records';
import { z } from 'zod';
import { typed } from '../frame/invocation.js';
import { readJson } from '../input-file.js';
import { flexible, printJson, printTable } from '../output.js';
import { cell } from '../record-cell.js';
import { asTenant, keyRing, type TenantOptions } from '../tenant-session.js';

interface InputOptions extends TenantOptions {
  field?: Fields;
  input?: string;
}

function kindOf(path: string): RecordKind {
  const kind = RECORD_KINDS.find((each) => each.path === path);
  if (kind === undefined) throw new Error(`There are no records of the kind "${path}".`);
  return kind;
}

export function listOf(path: string) {
  const kind = kindOf(path);
  return async ({ tenant, json }: TenantOptions): Promise<void> => {
    const records = await asTenant({ tenant, subject: auditedKind(kind) }, async ({ client, audit }) => {
      const found = await listRecords(client, kind);
      const reading = auditedReading(kind, found);
      if (reading !== undefined) await audit(reading.action, 'all', reading.details);
      return found;
    });
    if (json) return printJson(records);
    if (records.length === 0) return console.log(`No ${kind.plural}.`);
    const names = Object.keys(kind.columns);
    printTable(
      names.map((name) => (name === 'id' ? name : flexible(name.replaceAll('_', ' ')))),
      records.map((record) => names.map((name) => cell(record[name]))),
    );
  };
}

export function showOf(path: string) {
  const kind = kindOf(path);
  return async (id: number, { tenant, json }: TenantOptions): Promise<void> => {
    const record = await asTenant({ tenant, subject: auditedKind(kind) }, async ({ client, audit }) => {
      const found = await findRecord(client, kind, id);
      const reading = found === undefined ? undefined : auditedReading(kind, [found]);
      if (reading !== undefined) await audit(reading.action, id, reading.details);
      return found;
    });
    if (record === undefined) throw unknown(kind, id, tenant);
    print(record, json);
  };
}

export function addOf(path: string) {
  const kind = kindOf(path);
  return async (fields: Fields | undefined, options: InputOptions): Promise<void> => {
    const { tenant, json } = options;
    const input = await inputOf(kind.create, fields, options);
    const keys = await keyRing();
    const record = await asTenant({ tenant, subject: auditedKind(kind) }, async ({ client, audit }) => {
      const made = await createRecord(kind, input, { client, keys, tenantId: tenant });
      await audit(auditedAction(kind, 'created'), String(made['id']), auditedFields(kind, made));
      return made;
    });
    print(record, json);
  };
}

export function changeOf(path: string) {
  const kind = kindOf(path);
  return async (id: number, fields: Fields | undefined, options: InputOptions): Promise<void> => {
    const { tenant, json } = options;
    const input = await inputOf(kind.change, fields, options);
    const keys = await keyRing();
    const record = await asTenant({ tenant, subject: auditedKind(kind) }, async ({ client, audit }) => {
      const done = await changeRecord(kind, id, input, { client, keys, tenantId: tenant });
      if (done === undefined) throw unknown(kind, id, tenant);
      const difference = differenceOf(auditedFields(kind, done.before), auditedFields(kind, done.after));
      await audit(auditedAction(kind, 'changed'), id, difference);
      return done.after;
    });
    print(record, json);
  };
}

/** By the id of a record, or by its name. */
export function removeOf(path: string) {
  const kind = kindOf(path);
  return async (which: number | string, { tenant, json }: TenantOptions): Promise<void> => {
    await asTenant({ tenant, subject: auditedKind(kind) }, async ({ client, audit }) => {
      const id = typeof which === 'number' ? which : await idOfRecord(client, kind, which);
      const record = id === undefined ? undefined : await removeRecord(kind, id, client);
      if (id === undefined || record === undefined || kind.remove === undefined)
        throw unknown(kind, which, tenant);
      await audit(kind.remove.action, id, auditedFields(kind, record));
    });
    if (json) printJson({ removed: which });
    else console.log(`Removed the ${kind.noun} ${typeof which === 'number' ? which : `“${which}”`}.`);
  };
}

/** The fields of a kind, for the help. */
export function fieldsHelp(path: string): string {
  const { create, change } = kindOf(path);
  return `Fields: ${namesOf(create)}. Changeable: ${namesOf(change)}.`;
}

function namesOf({ shape }: z.ZodObject): string {
  return Object.keys(shape).join(', ');
}

/** @throws Error that names the field and never its value */
async function inputOf(
  schema: z.ZodObject,
  fields: Fields = {},
  { field = {}, input }: InputOptions,
): Promise<Fields> {
  const more =
    input === undefined ? {} : z.record(z.string(), z.unknown()).parse(await readJson(input, 'the fields'));
  const { data, error } = schema.safeParse({ ...fields, ...more, ...field });
  if (data !== undefined) return data;
  throw new Error(
    error.issues.map(({ path, message }) => `${path.join('.') || 'fields'}: ${message}`).join('\n'),
  );
}

function print(record: Fields, json: boolean | undefined): void {
  if (json) return printJson(record);
  for (const [name, value] of Object.entries(record))
    console.log(`${name.replaceAll('_', ' ')}: ${cell(value) ?? '–'}`);
}

function unknown({ noun, path }: RecordKind, id: number | string, tenant: number): Error {
  const [family = '', kind] = path.split('/');
  return new Error(
    `Tenant ${tenant} has no ${noun} ${id}. List them with: ${typed(`${family} ${kind ?? 'list'} --tenant ${tenant}`)}`,
  );
}
