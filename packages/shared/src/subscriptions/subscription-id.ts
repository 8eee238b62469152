/** Ids of subscriptions: random, so that nobody guesses another's. */
import { randomInt } from 'node:crypto';
import { z } from 'zod';

const LENGTH = 16;
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';

export const subscriptionIdSchema = z.string().regex(/^[a-z0-9]{16}$/, 'is not the id of a subscription');

export function newSubscriptionId(): string {
  return Array.from({ length: LENGTH }, () => ALPHABET.charAt(randomInt(ALPHABET.length))).join('');
}
