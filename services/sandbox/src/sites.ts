/** Websites of companies, for the scanner: `/sites/<name>/`. The front page changes from week to week. */
import type { FastifyInstance } from 'fastify';
import { daysBetween } from './world/model.js';
import type { World } from './world/world.js';

const SLOGANS = [
  'Gear for every weather',
  'Winter starts here',
  'Up to 30 % off',
  'New season, new trails',
] as const;
const WEEK = 7;

export function registerSites(app: FastifyInstance, world: World): void {
  app.get('/robots.txt', async (_request, reply) =>
    reply.type('text/plain').send('User-agent: *\nDisallow: /sites/private/\n'),
  );
  app.get<{ Params: { name: string } }>('/sites/:name/', async (request, reply) => {
    const week = Math.floor(daysBetween('2024-01-01', world.today()) / WEEK);
    const slogan = SLOGANS[week % SLOGANS.length] ?? '';
    reply.header('x-powered-by', 'Sandbox');
    return reply.type('text/html').send(page(request.params.name, slogan));
  });
}

function page(name: string, slogan: string): string {
  const title = name.replaceAll(/[^A-Za-z0-9 -]/g, '').replaceAll('-', ' ');
  return `<!doctype html>
<html><head>
<title>${title} – ${slogan}</title>
<meta name="description" content="${title}: ${slogan}.">
<meta name="keywords" content="outdoor, boots, ${title}">
<script src="https://cdn.shopify.com/s/files/theme.js"></script>
</head><body>
<a href="https://www.instagram.com/${encodeURIComponent(name)}">Instagram</a>
<a href="https://www.linkedin.com/company/${encodeURIComponent(name)}">LinkedIn</a>
</body></html>`;
}
