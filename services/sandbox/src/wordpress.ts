/** A WordPress site under `/wordpress`, for its user `editor`. A post whose slug begins with `fails-after` is made, and the answer lost. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';

export const WORDPRESS_USER = {
  name: 'editor',
  applicationPassword: 'sandbox application password',
} as const;

export interface SandboxPost {
  id: number;
  slug: string;
  title: string;
  content: string;
  status: string;
}

/** Stricter than the real one: a site receives a post's own fields, and nothing else that we know of it. */
const postBody = z.strictObject({
  slug: z.string().optional(),
  title: z.string().optional(),
  content: z.string().optional(),
  excerpt: z.string().optional(),
  status: z.enum(['draft', 'publish', 'future', 'pending', 'private']).optional(),
});
const PREFIX = '/wordpress/wp-json/wp/v2';
const NOT_LOGGED_IN = 401;

export class WordPressSite {
  readonly posts: SandboxPost[] = [];

  register(app: FastifyInstance): void {
    app.get<{ Querystring: { slug?: string; search?: string } }>(
      `${PREFIX}/posts`,
      async (request, reply) => {
        if (!isEditor(request)) return refuse(reply);
        return reply.send(
          this.posts
            .filter(({ slug }) => request.query.slug === undefined || slug === request.query.slug)
            .filter(({ title, content }) => `${title} ${content}`.includes(request.query.search ?? ''))
            .map((post) => view(request, post)),
        );
      },
    );
    app.post(`${PREFIX}/posts`, async (request, reply) => {
      if (!isEditor(request)) return refuse(reply);
      const body = postBody.parse(request.body);
      const wanted = body.slug ?? 'post';
      // As the real one does: a slug that is taken gets a number, without a word.
      let slug = wanted;
      for (let number = 2; this.posts.some((post) => post.slug === slug); number++)
        slug = `${wanted}-${number}`;
      const post = {
        id: this.posts.length + 1,
        slug,
        title: storedTitle(body.title ?? ''),
        content: body.content ?? '',
        status: body.status ?? 'draft',
      };
      this.posts.push(post);
      if (wanted.startsWith('fails-after')) return reply.code(502).send('Bad Gateway');
      return reply.code(201).send(view(request, post));
    });
    app.post<{ Params: { id: string } }>(`${PREFIX}/posts/:id`, async (request, reply) => {
      if (!isEditor(request)) return refuse(reply);
      const post = this.posts.find(({ id }) => String(id) === request.params.id);
      if (post === undefined)
        return reply
          .code(404)
          .send({ code: 'rest_post_invalid_id', message: 'Invalid post ID.', data: { status: 404 } });
      const changes = Object.entries(postBody.parse(request.body)).filter(
        ([name, value]) => value !== undefined && name !== 'excerpt',
      );
      Object.assign(post, Object.fromEntries(changes));
      return reply.send(view(request, post));
    });
  }
}

function isEditor(request: FastifyRequest): boolean {
  const credentials = Buffer.from(`${WORDPRESS_USER.name}:${WORDPRESS_USER.applicationPassword}`).toString(
    'base64',
  );
  return request.headers.authorization === `Basic ${credentials}`;
}

function refuse(reply: FastifyReply): FastifyReply {
  return reply.code(NOT_LOGGED_IN).send({
    code: 'rest_cannot_create',
    message: 'Sorry, you are not allowed.',
    data: { status: NOT_LOGGED_IN },
  });
}

/** As the real one keeps it for an editor without `unfiltered_html`. */
function storedTitle(title: string): string {
  return title.trim().replaceAll(/&(?!#?\w+;)/g, '&amp;');
}

function view(request: FastifyRequest, { id, slug, title, content, status }: SandboxPost): object {
  return {
    id,
    slug,
    status,
    link: `http://${request.headers.host}/wordpress/${slug}/`,
    title: { raw: title, rendered: title },
    content: { raw: content, rendered: content.replaceAll(/<!--.*?-->/gs, '') },
  };
}
