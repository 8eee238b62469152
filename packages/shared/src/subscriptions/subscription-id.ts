/** Ids of subscriptions: random, so that nobody guesses another's. */
import { z } from 'zod';
import { randomId } from '../random-id.js';

const LENGTH = 16;

export const subscriptionIdSchema = z.string().regex(/^[a-z0-9]{16}$/, 'is not the id of a subscription');

export function newSubscriptionId(): string {
  return randomId(LENGTH);
}
