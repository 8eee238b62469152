/** Switches and views of the sandbox itself, under `/_control`, and a page that explains them. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { FAULT_KINDS, faultSchema, type Faults } from './faults.js';
import { truthOf } from './truth.js';
import { SANDBOX_PLATFORMS } from './world/model.js';
import type { World } from './world/world.js';

const clockSchema = z.strictObject({ days: z.int().positive().max(3_650) });
const truthParams = z.object({ platform: z.enum(SANDBOX_PLATFORMS), account: z.string() });
const truthQuery = z.object({ since: z.iso.date(), until: z.iso.date() });

export function registerControlRoutes(app: FastifyInstance, world: World, faults: Faults): void {
  app.get('/healthz', async () => ({ status: 'ok', today: world.today() }));
  app.get('/', async (_request, reply) => reply.type('text/html').send(page(world.today())));
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

function page(today: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Stratum sandbox</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;color:#1c2430}
pre{background:#f3f5f8;padding:1rem;border-radius:6px;overflow:auto}code{font-size:.9em}</style></head><body>
<h1>Stratum sandbox</h1>
<p>A local stand-in for the ad platforms: ${SANDBOX_PLATFORMS.join(', ')}. Its data are made up, the same every time, and grow from day to day.
Today is <strong>${today}</strong>.</p>
<h2>Faults</h2>
<p>Let the next requests to a platform fail. Kinds: ${FAULT_KINDS.map((kind) => `<code>${kind}</code>`).join(', ')}.</p>
<pre>curl -X POST localhost:8100/_control/faults -H 'content-type: application/json' \\
  -d '{"platform": "meta", "kind": "rate_limit", "times": 2, "retryAfterMs": 60000}'
curl localhost:8100/_control/faults
curl -X DELETE localhost:8100/_control/faults</pre>
<h2>Clock</h2>
<pre>curl -X POST localhost:8100/_control/clock -H 'content-type: application/json' -d '{"days": 1}'</pre>
<h2>Receivers</h2>
<p>Any name is a receiver of events that the platform sends out.</p>
<pre>npx stratum subscriptions create http://127.0.0.1:8100/receiver/demo --events segment.entered --tenant 1
curl localhost:8100/receiver/demo                       # what it got
curl -X PUT localhost:8100/receiver/demo/secret -d '{"secret": "whsec_…"}'     # verify signatures by it
curl -X PUT localhost:8100/receiver/demo/answer -d '{"status": 503, "times": 3, "retry_after": 10}'</pre>
</body></html>`;
}
