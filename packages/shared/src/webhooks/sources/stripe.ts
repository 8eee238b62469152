/** Stripe: payments, invoices, subscriptions. */
import { z } from 'zod';
import { parseJson, textOf } from '../json.js';
import { anyFits, checkTime, headerOf, hmac, missing, readPairs, WRONG_SIGNATURE } from '../signature.js';
import type { WebhookSource } from '../source.js';

const settings = z.strictObject({
  test_events: z
    .enum(['ignored', 'counted'])
    .default('ignored')
    .describe(
      'Events of Stripe’s test mode: they move no money, so they count nowhere unless you try the endpoint out.',
    ),
});
const eventSchema = z.looseObject({ id: z.string().min(1), type: z.string().min(1) });

export const stripe: WebhookSource<z.output<typeof settings>> = {
  name: 'stripe',
  title: 'Stripe: the endpoint’s signing secret (whsec_…)',
  secret: 'theirs',
  settings,
  keptHeaders: [],
  verify: (request, { secrets, now }) => {
    const header = headerOf(request, 'stripe-signature');
    if (header === undefined) return missing('Stripe-Signature');
    const pairs = readPairs(header);
    const [time = ''] = pairs.get('t') ?? [];
    const inTime = checkTime(time, now);
    if (inTime !== 'valid') return inTime;
    const fits = anyFits(pairs.get('v1') ?? [], secrets, (secret) =>
      hmac('sha256', 'hex', secret, [`${time}.`, request.body]),
    );
    return fits ? 'valid' : WRONG_SIGNATURE;
  },
  events: (request) => {
    const body = textOf(request);
    const { id, type } = parseJson(body, eventSchema);
    return [{ key: id, identity: id, type, body }];
  },
};
