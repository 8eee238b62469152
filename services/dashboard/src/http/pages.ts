/** The web application: its files as they were built, compressed beside themselves. Any other path is a place in it. */
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { ProblemError } from '@stratum/shared/http';
import type { DashboardServer } from './types.js';

/** The same from the sources and from the build: both are two folders below the package. */
const FOLDER = fileURLToPath(new URL('../../web-dist', import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};
/** Names of built files change with what is in them. */
const FOREVER = 'public, max-age=31536000, immutable';

interface WebFile {
  body: Buffer;
  compressed: Buffer | undefined;
  type: string;
}

async function readFiles(): Promise<Map<string, WebFile>> {
  const names = await readdir(FOLDER, { recursive: true }).catch((cause: unknown) => {
    throw new Error('The pages of the dashboard are not built. Build them with: npx pnpm build', { cause });
  });
  const files = new Map<string, WebFile>();
  for (const name of names) {
    const type = TYPES[extname(name)];
    if (type === undefined) continue;
    const path = join(FOLDER, name);
    files.set(name, {
      body: await readFile(path),
      compressed: await readFile(`${path}.gz`).catch(() => undefined),
      type,
    });
  }
  return files;
}

/** The page with the addresses of its files as browsers see them. */
function under(basePath: string, page: WebFile): WebFile {
  const text = page.body
    .toString('utf8')
    .replaceAll(/(?<= (?:href|src)=")(?=\/)/g, basePath)
    .replace('name="base-path" content=""', `name="base-path" content="${basePath}"`);
  const body = Buffer.from(text);
  return { body, compressed: gzipSync(body), type: page.type };
}

/** @param basePath that a proxy has put in front of all paths; empty for none */
export async function pageRoutes(app: DashboardServer, basePath: string): Promise<void> {
  const files = await readFiles();
  const built = files.get('index.html');
  if (built === undefined) throw new Error(`${FOLDER} has no index.html.`);
  const index = under(basePath, built);
  files.set('index.html', index);
  app.route({
    method: 'GET',
    url: '/*',
    config: { access: 'public' },
    schema: { hide: true },
    handler: async (request, reply) => {
      const path = request.url.split('?')[0]?.slice(1) ?? '';
      if (path.startsWith('api/')) throw new ProblemError('not-found', `There is no /${path}.`);
      const found = files.get(path);
      if (found === undefined && path.startsWith('assets/'))
        throw new ProblemError('not-found', `There is no /${path}.`);
      const { body, compressed, type } = found ?? index;
      if (path.startsWith('assets/')) reply.header('cache-control', FOREVER);
      const takesGzip = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
      reply.header('vary', 'accept-encoding');
      if (takesGzip && compressed !== undefined) reply.header('content-encoding', 'gzip');
      return reply.type(type).send(takesGzip && compressed !== undefined ? compressed : body);
    },
  });
}
