/** WordPress over its REST API. It has no idempotency either: existing posts are looked up before one is created. */
import { SiteError, type FetchedPage, type SafeFetch } from '../safe-fetch/index.js';
import { z } from 'zod';

export interface WordPressSite {
  baseUrl: string;
  userName: string;
  applicationPassword: string;
}

export interface PostContent {
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
  title: z.object({ raw: z.string().optional(), rendered: z.string() }),
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
   * Makes the post, or takes the one that an earlier try has made; under another slug where a different post has it.
   * @param others posts of the site known to be different ones, even with an equal title
   */
  async publish(
    post: PostContent,
    remoteId: number | null,
    others: readonly number[] = [],
  ): Promise<RemotePost> {
    const known = remoteId === null ? undefined : await this.replace(post, remoteId);
    if (known !== undefined) return known;
    for (let number = 1; number <= MAX_SLUGS; number++) {
      const slug = number === 1 ? post.slug : `${post.slug}-${number}`;
      const existing = await this.find(slug);
      if (existing === undefined) return this.save({ ...post, slug }, '/posts');
      const isOurs =
        !others.includes(existing.id) && (existing.title.raw ?? existing.title.rendered) === post.title;
      if (isOurs) return this.save({ ...post, slug }, `/posts/${existing.id}`);
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

  private async find(slug: string): Promise<z.output<typeof remoteSchema> | undefined> {
    const reply = await this.request(
      'GET',
      `/posts?slug=${encodeURIComponent(slug)}&status=any&context=edit`,
    );
    return z.array(remoteSchema).parse(this.accept(reply))[0];
  }

  /** `undefined`: somebody has removed it from the site. */
  private async replace(post: PostContent, id: number): Promise<RemotePost | undefined> {
    const reply = await this.write(post, `/posts/${id}`);
    return reply.status === NOT_FOUND ? undefined : this.saved(reply);
  }

  private async save(post: PostContent, path: string): Promise<RemotePost> {
    return this.saved(await this.write(post, path));
  }

  private write({ slug, title, content, excerpt }: PostContent, path: string): Promise<FetchedPage> {
    return this.request('POST', path, { slug, title, content, excerpt, status: 'publish' });
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
    if (status >= 200 && status < 300) return JSON.parse(body);
    const code = errorCode(body);
    const retryable = status === TOO_MANY || status >= SERVER_ERROR;
    throw new WordPressError(
      `The site refused the request (HTTP ${status}${code === undefined ? '' : `, ${code}`}).`,
      retryable,
    );
  }
}

function errorCode(body: string): string | undefined {
  try {
    return errorSchema.safeParse(JSON.parse(body)).data?.code;
  } catch {
    return undefined;
  }
}
