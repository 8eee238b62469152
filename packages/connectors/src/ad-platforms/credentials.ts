/** What each platform asks of a caller. Stored encrypted; see `sealCredentials`. */
import { z } from 'zod';

const secret = z.string().min(1);

/** An access token that the connector has fetched, kept so that the next run need not. */
const cachedToken = {
  accessToken: secret.optional(),
  /** Milliseconds since 1970. */
  accessTokenExpiresAt: z.int().optional(),
};

const metaCredentialsSchema = z.object({ platform: z.literal('meta'), accessToken: secret });

const googleCredentialsSchema = z.object({
  platform: z.literal('google'),
  developerToken: secret,
  clientId: secret,
  clientSecret: secret,
  refreshToken: secret,
  /** The manager account that access goes through, digits only. */
  loginCustomerId: z.string().regex(/^\d+$/).optional(),
  ...cachedToken,
});

const tiktokCredentialsSchema = z.object({ platform: z.literal('tiktok'), accessToken: secret });

const snapchatCredentialsSchema = z.object({
  platform: z.literal('snapchat'),
  clientId: secret,
  clientSecret: secret,
  refreshToken: secret,
  ...cachedToken,
});

export const platformCredentialsSchema = z.discriminatedUnion('platform', [
  metaCredentialsSchema,
  googleCredentialsSchema,
  tiktokCredentialsSchema,
  snapchatCredentialsSchema,
]);

export type PlatformCredentials = z.infer<typeof platformCredentialsSchema>;
export type CredentialsOf<Name extends PlatformCredentials['platform']> = Extract<
  PlatformCredentials,
  { platform: Name }
>;
/** Credentials of the platforms that hand out short-lived access tokens. */
export type OAuthCredentials = CredentialsOf<'google'> | CredentialsOf<'snapchat'>;
