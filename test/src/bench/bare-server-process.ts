/** A Fastify server that answers 200 and does nothing else: what the API's webhooks are measured against. */
import fastify from 'fastify';

const app = fastify();
app.post('/*', async () => ({ received: 1 }));
const url = await app.listen({ host: '127.0.0.1', port: 0 });
process.send?.({ type: 'ready', url });
