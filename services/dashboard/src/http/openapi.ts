/** The description of the dashboard's JSON API, at `/api/openapi.json`: OpenAPI 3.1. */
import swagger from '@fastify/swagger';
import { asRecord, PROBLEM_RESPONSE, problemSchema, tidyDocument } from '@stratum/shared/http';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { RIGHTS } from '../access/rights.js';
import { sessionCookie } from './cookies.js';
import { CSRF_HEADER } from './guard.js';
import type { Access, DashboardResources, DashboardServer } from './types.js';

const SAFE = new Set(['GET', 'HEAD']);
/** A right's row in the table of rights, for those who sign in with a key or a role. */
const rights: Readonly<
  Record<string, { scope: string; role: string; tenantRole?: string; platformOnly?: boolean }>
> = RIGHTS;

/** Before the routes. */
export async function useOpenApi(
  app: DashboardServer,
  { DASHBOARD_PUBLIC_URL: publicUrl, DASHBOARD_BASE_PATH: basePath }: DashboardResources['configuration'],
): Promise<void> {
  const secure = publicUrl?.startsWith('https:') === true;
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Stratum dashboard',
        version: '1.0.0',
        description: `What the pages of the dashboard read and do. Sign in with \`POST /api/session\`; the answer sets a cookie. Changes need the header \`${CSRF_HEADER}: 1\` and come from the dashboard's own origin: programs use the HTTP API instead. Errors are RFC 9457 problem details. Routes may change in any release.`,
      },
      servers: [{ url: basePath === '' ? '/' : basePath }],
      components: {
        securitySchemes: {
          session: { type: 'apiKey', in: 'cookie', name: sessionCookie(secure) },
        },
      },
    },
    transform: (document) => {
      const { schema, url } = jsonSchemaTransform(document);
      const access = document.route.config?.access ?? 'public';
      const { method } = document.route;
      const changes = [method].flat().some((each) => !SAFE.has(each));
      return {
        url,
        schema: {
          ...schema,
          description: describe(access),
          response: { ...asRecord(schema.response), default: PROBLEM_RESPONSE },
          ...(access === 'public' ? {} : { security: [{ session: [] }], 'x-right': access }),
          ...(changes ? { 'x-header': CSRF_HEADER } : {}),
        },
      };
    },
    transformObject: (document) => tidyDocument(jsonSchemaTransformObject(document)),
  });
  z.globalRegistry.add(problemSchema, { id: 'Problem' });
  app.route({
    method: 'GET',
    url: '/api/openapi.json',
    config: { access: 'signed-in' },
    schema: {
      tags: ['Session'],
      summary: 'Read this description',
      response: { 200: z.looseObject({}).describe('An OpenAPI 3.1 document.') },
    },
    handler: () => ({ ...app.swagger() }),
  });
}

/** Who may. */
function describe(access: Access): string {
  if (access === 'public') return 'For everybody.';
  if (access === 'signed-in') return 'For whoever is signed in.';
  const right = rights[access];
  if (right === undefined) throw new Error(`There is no right "${access}".`);
  const { scope, role, tenantRole, platformOnly } = right;
  const of = platformOnly === true || tenantRole !== undefined ? ' of the platform' : '';
  const ofTenants = tenantRole === undefined ? '' : `, the role \`${tenantRole}\` of a tenant`;
  const keys = platformOnly === true ? 'keys of the platform' : 'keys';
  return `For the role \`${role}\`${of} and above${ofTenants}, and for ${keys} with the scope \`${scope}\`.`;
}
