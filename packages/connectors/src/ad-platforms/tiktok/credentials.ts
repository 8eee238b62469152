/** What TikTok asks of a caller. */
import { z } from 'zod';
import { secret } from '../credential-fields.js';

export const tiktokCredentials = z.object({ platform: z.literal('tiktok'), accessToken: secret });

export type TikTokCredentials = z.output<typeof tiktokCredentials>;
