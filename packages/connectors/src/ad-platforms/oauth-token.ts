/** The short-lived access token of an OAuth platform: cached, refreshed when it runs out, once for all who need it. */
import { z } from 'zod';
import { PlatformError, type PlatformErrorKind } from './errors.js';
import { retryAfterMs, type HttpClient, type HttpReply } from './http-client.js';
import { parseReply } from './parse-reply.js';

/** Credentials of a platform that issues short-lived access tokens. */
export interface OAuthCredentials {
  platform: string;
  clientId: string;
  clientSecret: string;
  refreshToken: string;
  accessToken?: string | undefined;
  accessTokenExpiresAt?: number | undefined;
}

export interface OAuthTokenOptions<Credentials extends OAuthCredentials> {
  http: HttpClient;
  tokenUrl: string;
  credentials: Credentials;
  /** Stores the credentials with their new token. */
  onRefreshed?: ((credentials: Credentials) => Promise<void>) | undefined;
}

/** Refreshed this long before it runs out, so that it is still good when it arrives. */
const MARGIN_MS = 5 * 60_000;

const tokenSchema = z.object({ access_token: z.string().min(1), expires_in: z.number().positive() });
const refusalSchema = z.object({ error: z.string() });

export class OAuthToken<Credentials extends OAuthCredentials> {
  private credentials: Credentials;
  private refreshing: Promise<string> | undefined;

  constructor(private readonly options: OAuthTokenOptions<Credentials>) {
    this.credentials = options.credentials;
  }

  /** A token that should be good. */
  async get(signal: AbortSignal): Promise<string> {
    const { accessToken, accessTokenExpiresAt } = this.credentials;
    const good = accessToken !== undefined && (accessTokenExpiresAt ?? 0) - MARGIN_MS > Date.now();
    return good ? accessToken : this.refresh(signal);
  }

  /** A new token in place of one that the platform refused. Callers that come together share one refresh. */
  async replace(refused: string, signal: AbortSignal): Promise<string> {
    const { accessToken } = this.credentials;
    return accessToken !== undefined && accessToken !== refused ? accessToken : this.refresh(signal);
  }

  private refresh(signal: AbortSignal): Promise<string> {
    this.refreshing ??= this.fetchToken(signal).finally(() => {
      this.refreshing = undefined;
    });
    return this.refreshing;
  }

  private async fetchToken(signal: AbortSignal): Promise<string> {
    const { http, tokenUrl, onRefreshed } = this.options;
    const { platform, clientId, clientSecret, refreshToken } = this.credentials;
    const reply = await http.send({
      method: 'POST',
      url: new URL(tokenUrl),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        client_id: clientId,
        client_secret: clientSecret,
        refresh_token: refreshToken,
      }).toString(),
      signal,
    });
    if (reply.status !== 200) throw refusal(platform, reply);
    const token = parseReply(platform, tokenSchema, reply.body);
    this.credentials = {
      ...this.credentials,
      accessToken: token.access_token,
      accessTokenExpiresAt: Date.now() + token.expires_in * 1000,
    };
    await onRefreshed?.(this.credentials);
    return token.access_token;
  }
}

/**
 * RFC 6749 §5.2. Only these three end the access; `invalid_client` because the application lost its own. Everything else passes, or is a fault of
 * the request: Google answers a broken backend with HTTP 400, too, and people would connect their accounts anew for nothing.
 */
const REFUSALS: Readonly<Record<string, PlatformErrorKind>> = {
  invalid_grant: 'auth_expired',
  invalid_client: 'auth_expired',
  unauthorized_client: 'auth_expired',
  invalid_request: 'permanent',
  unsupported_grant_type: 'permanent',
  invalid_scope: 'permanent',
};

function refusal(platform: string, reply: HttpReply): PlatformError {
  const code = refusalSchema.safeParse(reply.body).data?.error;
  const known = code === undefined ? undefined : REFUSALS[code];
  const kind = reply.status === 429 ? 'rate_limited' : reply.status >= 500 ? 'transient' : known;
  return new PlatformError(platform, kind ?? 'transient', 'the access token could not be refreshed', {
    platformCode: code ?? `HTTP ${reply.status}`,
    retryAfterMs: retryAfterMs(reply.headers),
  });
}
