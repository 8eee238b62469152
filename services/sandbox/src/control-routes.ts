/** Switches and views of the sandbox itself, under `/_control`, and a page that explains them. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { controlPage } from './control-page.js';
import { faultSchema, type Faults } from './faults.js';
import { truthOf } from './truth.js';
import { SANDBOX_PLATFORMS } from './platforms/platforms.js';
import type { World } from './world/world.js';

const clockSchema = z.strictObject({ days: z.int().positive().max(3_650) });
const truthParams = z.object({ platform: z.enum(SANDBOX_PLATFORMS), account: z.string() });
const truthQuery = z.object({ since: z.iso.date(), until: z.iso.date() });

export function registerControlRoutes(app: FastifyInstance, world: World, faults: Faults): void {
  void app.register(async (scope) => {
    // The body is JSON, even if the command line's content type differs.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'string' }, scope.getDefaultJsonParser('error', 'error'));
    routes(scope, world, faults);
  });
}

function routes(app: FastifyInstance, world: World, faults: Faults): void {
  app.get('/healthz', async () => ({ status: 'ok', today: world.today() }));
  app.get('/', async (request, reply) =>
    reply
      .type('text/html')
      .send(
        controlPage({ today: world.today(), port: request.socket.localPort ?? 0, faults: faults.list() }),
      ),
  );
  app.get('/_control/faults', async () => faults.list());
  app.delete('/_control/faults', async (_request, reply) => {
    faults.clear();
    return reply.code(204).send();
  });
  app.post('/_control/faults', async (request, reply) => {
    const parsed = faultSchema.safeParse(request.body);
    if (!parsed.success) return reply.code(422).send({ error: z.prettifyError(parsed.error) });
    faults.inject(parsed.data);
    return reply.code(201).send(parsed.data);
  });
  app.post('/_control/clock', async (request, reply) => {
    const parsed = clockSchema.safeParse(request.body);
    if (!parsed.success) return reply.code(422).send({ error: z.prettifyError(parsed.error) });
    world.advance(parsed.data.days);
    return { today: world.today() };
  });
  app.get('/_control/truth/:platform/:account', async (request, reply) => {
    const params = truthParams.safeParse(request.params);
    const query = truthQuery.safeParse(request.query);
    if (!params.success)
      return reply.code(404).send({ error: `The platforms are: ${SANDBOX_PLATFORMS.join(', ')}.` });
    if (!query.success) return reply.code(422).send({ error: z.prettifyError(query.error) });
    return truthOf(world, params.data.platform, params.data.account, query.data.since, query.data.until);
  });
}
