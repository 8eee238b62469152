/** What Meta asks of a caller. */
import { z } from 'zod';
import { secret } from '../credential-fields.js';

export const metaCredentials = z.object({ platform: z.literal('meta'), accessToken: secret });

export type MetaCredentials = z.output<typeof metaCredentials>;
