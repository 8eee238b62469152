/** WordPress over its REST API. It has no idempotency either: existing posts are looked up before one is created. */
import { SiteError, type FetchedPage, type SafeFetch } from '../safe-fetch/index.js';
import { z } from 'zod';

export interface WordPressSite {
  baseUrl: string;
  userName: string;
  applicationPassword: string;
}

export interface PostContent {
  /** By which the post is found again on the site: letters, digits and hyphens. */
  mark: string;
  slug: string;
  title: string;
  content: string;
  excerpt: string;
}

export interface RemotePost {
  id: number;
  url: string;
  slug: string;
}

/** Why a site did not accept a request; carries no credentials. */
export class WordPressError extends Error {
  readonly code = 'wordpress_error';

  constructor(
    message: string,
    /** Whether the same request may succeed later. */
    readonly retryable: boolean,
  ) {
    super(message);
    this.name = 'WordPressError';
  }
}

const remoteSchema = z.object({
  id: z.int(),
  link: z.string(),
  slug: z.string(),
  content: z.object({ raw: z.string().optional(), rendered: z.string().optional() }).optional(),
});
const errorSchema = z.object({ code: z.string(), message: z.string() });
const NOT_FOUND = 404;
const TOO_MANY = 429;
const SERVER_ERROR = 500;
const MAX_SLUGS = 20;

export class WordPress {
  constructor(
    private readonly site: WordPressSite,
    private readonly fetcher: SafeFetch,
    private readonly signal: AbortSignal,
  ) {}

  /**
   * Makes the post, or takes the one that an earlier try has made; under another slug where a different post has it. WordPress changes titles and
   * slugs, and leaves comments of the content alone: the mark is one.
   */
  async publish(post: PostContent, remoteId: number | null): Promise<RemotePost> {
    const known = remoteId === null ? undefined : await this.replace(post, remoteId);
    if (known !== undefined) return known;
    const made = (await this.find({ search: post.mark })).find((each) => hasMark(each, post.mark));
    if (made !== undefined) return this.save({ ...post, slug: made.slug }, `/posts/${made.id}`);
    for (let number = 1; number <= MAX_SLUGS; number++) {
      const slug = number === 1 ? post.slug : `${post.slug}-${number}`;
      const [existing] = await this.find({ slug });
      if (existing === undefined) return this.save({ ...post, slug }, '/posts');
      // A site whose search leaves drafts or comments out.
      if (hasMark(existing, post.mark)) return this.save({ ...post, slug }, `/posts/${existing.id}`);
    }
    throw new WordPressError(
      `The slug "${post.slug}" and ${MAX_SLUGS - 1} like it are taken on the site. Choose another one.`,
      false,
    );
  }

  /** Back to a draft; a post that is gone is not there either. */
  async unpublish(remoteId: number): Promise<void> {
    const reply = await this.request('POST', `/posts/${remoteId}`, { status: 'draft' });
    if (reply.status !== NOT_FOUND) this.accept(reply);
  }

  private async find(by: { slug: string } | { search: string }): Promise<Remote[]> {
    const query = new URLSearchParams({ ...by, status: 'any', context: 'edit' });
    const reply = await this.request('GET', `/posts?${query.toString()}`);
    return z.array(remoteSchema).parse(this.accept(reply));
  }

  /** `undefined`: somebody has removed it from the site. */
  private async replace(post: PostContent, id: number): Promise<RemotePost | undefined> {
    const reply = await this.write(post, `/posts/${id}`);
    return reply.status === NOT_FOUND ? undefined : this.saved(reply);
  }

  private async save(post: PostContent, path: string): Promise<RemotePost> {
    return this.saved(await this.write(post, path));
  }

  private write({ slug, title, content, excerpt, mark }: PostContent, path: string): Promise<FetchedPage> {
    const marked = `${content}\n<!-- ${mark} -->`;
    return this.request('POST', path, { slug, title, content: marked, excerpt, status: 'publish' });
  }

  private saved(reply: FetchedPage): RemotePost {
    const { id, link, slug } = remoteSchema.parse(this.accept(reply));
    return { id, url: link, slug };
  }

  private async request(method: 'GET' | 'POST', path: string, body?: object): Promise<FetchedPage> {
    const { baseUrl, userName, applicationPassword } = this.site;
    const credentials = Buffer.from(`${userName}:${applicationPassword}`).toString('base64');
    try {
      return await this.fetcher.send(
        `${baseUrl.replace(/\/+$/, '')}/wp-json/wp/v2${path}`,
        {
          method,
          headers: {
            authorization: `Basic ${credentials}`,
            accept: 'application/json',
            'content-type': 'application/json',
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        },
        this.signal,
      );
    } catch (error) {
      if (error instanceof SiteError)
        throw new WordPressError(`The request to the site failed: ${error.message}.`, error.retryable);
      throw error;
    }
  }

  private accept({ status, body }: FetchedPage): unknown {
    if (status >= 200 && status < 300) return readJson(body);
    const code = errorCode(body);
    const retryable = status === TOO_MANY || status >= SERVER_ERROR;
    throw new WordPressError(
      `The site refused the request (HTTP ${status}${code === undefined ? '' : `, ${code}`}).`,
      retryable,
    );
  }
}

type Remote = z.output<typeof remoteSchema>;

function hasMark({ content }: Remote, mark: string): boolean {
  return (content?.raw ?? content?.rendered ?? '').includes(mark);
}

/** PHP may print its notices before the JSON. @throws WordPressError where there is none */
function readJson(body: string): unknown {
  const starts = [
    0,
    ...[...body.matchAll(/^[ \t]*[[{]/gm)].map(({ index }) => index),
    body.search(/[[{]"?[\w\]}{]/),
  ];
  for (const start of starts) {
    const text = start < 0 ? '' : body.slice(start).trim();
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value === 'object' && value !== null) return value;
    } catch {
      // The next place may be it.
    }
  }
  throw new WordPressError(
    `The site answers with something else than JSON: ${JSON.stringify(body.trim().slice(0, 80))}. Its REST API, or a plugin that prints notices, has to be mended.`,
    true,
  );
}

function errorCode(body: string): string | undefined {
  try {
    return errorSchema.safeParse(readJson(body)).data?.code;
  } catch {
    return undefined;
  }
}
