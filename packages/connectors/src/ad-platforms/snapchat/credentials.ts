/** What Snapchat asks of a caller. */
import { z } from 'zod';
import { cachedToken, secret } from '../credential-fields.js';

export const snapchatCredentials = z.object({
  platform: z.literal('snapchat'),
  clientId: secret,
  clientSecret: secret,
  refreshToken: secret,
  ...cachedToken,
});

export type SnapchatCredentials = z.output<typeof snapchatCredentials>;
