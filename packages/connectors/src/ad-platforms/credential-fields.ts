/** Fields that the credentials of several platforms have. */
import { z } from 'zod';

/** A secret of a platform's credentials. */
export const secret = z.string().min(1);

/** An access token that the connector has fetched, kept so that the next run need not. */
export const cachedToken = {
  accessToken: secret.optional(),
  /** Milliseconds since 1970. */
  accessTokenExpiresAt: z.int().optional(),
};
