/** Every number, time and date in the description of a route is tried with unusable values: a refusal names the field, and nothing fails. */
import { expect, test } from 'vitest';
import { openApi } from './fixture.js';

interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  const?: unknown;
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
  allOf?: Schema[];
  oneOf?: Schema[];
  default?: unknown;
  enum?: unknown[];
  minLength?: number;
  required?: string[];
}

interface Operation {
  security?: { key?: [] }[];
  parameters?: { name: string; in: 'path' | 'query' | 'header'; schema: Schema; required?: boolean }[];
  requestBody?: { content: { 'application/json'?: { schema: Schema } } };
}

interface Description {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

type Kind = 'number' | 'time' | 'date';

/** A field that holds a number or time: where it is, below the body. */
interface Field {
  path: string[];
  kind: Kind;
}

const HOSTILE: Record<Kind, readonly unknown[]> = {
  number: [1e16 + 2, -1e16, 1e300, 'five', {}, true],
  time: ['yesterday', '9999-12-31T23:59:59Z', '+275760-09-13T00:00:00Z', '1969-12-31T23:59:59Z', '', 60],
  date: ['yesterday', '9999-12-31', '1969-12-31', '2026-02-30', '', 60],
};
/** Texts that stand for a number in a path or query. */
const HOSTILE_TEXTS: Record<Exclude<Kind, 'date'>, readonly string[]> = {
  number: ['NaN', 'Infinity', '-1', '99999999999999999999', '1e300', 'five'],
  time: ['yesterday', '9999-12-31T23:59:59Z', '+275760-09-13T00:00:00Z', '1969-12-31T23:59:59Z', '60'],
};
const UNUSED = { number: '999999', text: 'a'.repeat(16) };

/** Fields that only a whole request takes. */
const REST: Record<string, object> = { 'POST /v1/workflows': { task: 'evaluate_rules' } };

/** Routes that only a key of the platform may use. */
const OF_THE_PLATFORM = ['/v1/tasks/', '/v1/tenants', '/v1/usage/limits'];

function kindOf(schema: Schema): Kind | undefined {
  if (schema.format === 'date-time') return 'time';
  if (schema.format === 'date') return 'date';
  const types = new Set([schema.type].flat());
  return types.has('number') || types.has('integer') ? 'number' : undefined;
}

test('every number, time and date of every route is bounded', { timeout: 120_000 }, async () => {
  const { call, keys } = await openApi({ API_RATE_LIMIT: '100000', API_FAILED_KEYS_LIMIT: '100000' });
  const { body: description } = await call<Description>('GET', '/openapi.json', { key: null });
  const resolve = (schema: Schema): Schema =>
    schema.$ref === undefined
      ? schema
      : resolve(description.components.schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {});

  /** A schema that contains itself is entered once. */
  function* fieldsOf(given: Schema, path: string[], within: readonly string[] = []): Generator<Field> {
    if (given.$ref !== undefined && within.includes(given.$ref)) return;
    const inside = given.$ref === undefined ? within : [...within, given.$ref];
    const schema = resolve(given);
    const kind = kindOf(schema);
    if (kind !== undefined) yield { path, kind };
    for (const [name, property] of Object.entries(schema.properties ?? {}))
      yield* fieldsOf(property, [...path, name], inside);
    // An id that may be text as well takes any of it.
    if (schema.anyOf?.some(({ type, format }) => type === 'string' && format === undefined) === true) return;
    for (const part of [schema.anyOf, schema.allOf, schema.oneOf].flat())
      if (part !== undefined) yield* fieldsOf(part, path, inside);
  }

  const accepted: string[] = [];
  /** Notes the request unless it is refused with the status and the field's name. */
  const expectRefusal = async (
    [method, target, body]: [method: string, target: string, body?: object],
    [status, name]: [status: number, name: string],
  ): Promise<void> => {
    const key = OF_THE_PLATFORM.some((path) => target.startsWith(path)) ? keys.platform : keys.tenant;
    const reply = await call(method, target, { key, ...(body === undefined ? {} : { body }) });
    const complaint = JSON.stringify(reply.body['errors'] ?? reply.body['detail']);
    if (reply.status !== status || !complaint.includes(name))
      accepted.push(`${method} ${target} ${JSON.stringify(body ?? {})}: ${reply.status} ${complaint}`);
  };
  const tried: string[] = [];
  for (const [path, operations] of Object.entries(description.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      if (operation.security?.some((scheme) => 'key' in scheme) !== true) continue;
      const route = `${method.toUpperCase()} ${path}`;
      const parameters = operation.parameters ?? [];
      /** The path with an id of the right form, except where one is given. */
      const filled = (own: Record<string, string> = {}): string =>
        path.replaceAll(/\{([^}]+)\}/g, (_, name: string) => {
          const parameter = parameters.find((each) => each.name === name);
          const [choice] = (parameter?.schema.enum ?? []).map(String);
          const usual =
            choice ?? (kindOf(parameter?.schema ?? {}) === 'number' ? UNUSED.number : UNUSED.text);
          return encodeURIComponent(own[name] ?? usual);
        });
      for (const { name, in: place, schema } of parameters) {
        const kind = kindOf(resolve(schema));
        if (kind === undefined || kind === 'date' || place === 'header') continue;
        for (const value of HOSTILE_TEXTS[kind]) {
          const target =
            place === 'path'
              ? filled({ [name]: value })
              : `${filled()}?${new URLSearchParams({ [name]: value }).toString()}`;
          await expectRefusal([method.toUpperCase(), target], [400, name]);
        }
        tried.push(`${route} ${name}`);
      }
      const body = operation.requestBody?.content['application/json']?.schema;
      if (body === undefined) continue;
      for (const { path: place, kind } of fieldsOf(body, [])) {
        for (const value of HOSTILE[kind]) {
          const hostile = {
            ...REST[route],
            [place[0] ?? '']: place.slice(1).reduceRight((inner, name) => ({ [name]: inner }), value),
          };
          await expectRefusal([method.toUpperCase(), filled(), hostile], [422, place.at(-1) ?? '']);
        }
        tried.push(`${route} ${place.join('.')}`);
      }
    }
  }
  expect(accepted).toEqual([]);
  // The walk has found what it is for.
  const missed = [
    'options.delay_ms',
    'scheduled_at',
    'limit',
    'wait',
    'every_ms',
    'grace_seconds',
    'expires_at',
    'payload.date',
  ].filter((known) => !tried.some((field) => field.endsWith(` ${known}`)));
  expect(missed, `tried:\n${tried.join('\n')}`).toEqual([]);
});
