/** Whether the dashboard answers as its description says: every answer that a test gets is compared with the copy in the documentation. */
import { readFile } from 'node:fs/promises';
// oxlint-disable-next-line no-restricted-imports -- where the library's guide says that the dialect 2020-12 is
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

const COPY = new URL('../../../docs/reference/dashboard-api.json', import.meta.url);

interface DescribedAnswer {
  content?: Record<string, unknown>;
}

interface Description {
  openapi: string;
  paths: Record<string, Record<string, { responses: Record<string, DescribedAnswer> }>>;
}

/** What was answered, as it came. */
export interface Answered {
  method: string;
  path: string;
  status: number;
  contentType: string | null;
  /** Parsed where it is JSON; of a stream, one event. */
  body: unknown;
}

interface Known {
  ajv: Ajv2020;
  /** The places in the addresses of fewest parameters first: `/api/tasks/suggest` is no task. */
  routes: { template: string; pattern: RegExp; operations: Description['paths'][string] }[];
  validators: Map<string, ValidateFunction>;
}

let known: Promise<Known> | undefined;

async function load(): Promise<Known> {
  const description: Description = JSON.parse(await readFile(COPY, 'utf8'));
  const ajv = new Ajv2020({ strict: false });
  addFormats.default(ajv);
  ajv.addSchema(description, 'description');
  const routes = Object.entries(description.paths).map(([template, operations]) => ({
    template,
    pattern: new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
    operations,
  }));
  const parameters = ({ template }: { template: string }): number => template.split('{').length;
  return {
    ajv,
    routes: routes.toSorted((a, b) => parameters(a) - parameters(b)),
    validators: new Map(),
  };
}

/** @throws Error that names the route and what does not fit */
export async function checkDescribed({ method, path, status, contentType, body }: Answered): Promise<void> {
  const [place] = /\/api\/[^?#]*/.exec(path) ?? [];
  if (place === undefined || method === 'HEAD') return;
  const { ajv, routes, validators } = await (known ??= load());
  const verb = method.toLowerCase();
  const route = routes.find((each) => each.pattern.test(place) && each.operations[verb] !== undefined);
  const complain = (what: string): never => {
    throw new Error(`${method} ${place} answered ${status}, and ${what}`);
  };
  if (route === undefined) {
    if (status < 400) complain('no route is described.');
    return;
  }
  const responses = route.operations[verb]?.responses ?? {};
  const named = responses[status] === undefined ? 'default' : String(status);
  if (named === 'default' && status < 400) complain('the description does not have this status.');
  const content = responses[named]?.content;
  if (content === undefined) {
    if (body !== '') complain('the description has no body.');
    return;
  }
  const type = contentType?.split(';')[0] ?? '';
  if (content[type] === undefined) complain(`the description has no ${type}.`);
  const pointer = ['paths', route.template, verb, 'responses', named, 'content', type, 'schema'];
  const reference = `description#/${pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;
  const validate = validators.get(reference) ?? ajv.compile({ $ref: reference });
  validators.set(reference, validate);
  if (!validate(body)) complain(`its body does not fit the description: ${ajv.errorsText(validate.errors)}`);
}
