/** What Google Ads asks of a caller. */
import { z } from 'zod';
import { cachedToken, secret } from '../credential-fields.js';

export const googleCredentials = z.object({
  platform: z.literal('google'),
  developerToken: secret,
  clientId: secret,
  clientSecret: secret,
  refreshToken: secret,
  /** The manager account that access goes through, digits only. */
  loginCustomerId: z.string().regex(/^\d+$/).optional(),
  ...cachedToken,
});

export type GoogleCredentials = z.output<typeof googleCredentials>;
