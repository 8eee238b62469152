/** TikTok for Developers. Its events have no ids: the hash of the body identifies one. */
import { z } from 'zod';
import { parseJson, textOf } from '../json.js';
import {
  anyFits,
  checkTime,
  digestOf,
  headerOf,
  hmac,
  missing,
  readPairs,
  WRONG_SIGNATURE,
} from '../signature.js';
import type { WebhookSource } from '../source.js';

const settings = z.strictObject({});
const eventSchema = z.looseObject({ event: z.string().min(1) });

export const tiktok: WebhookSource<z.output<typeof settings>> = {
  name: 'tiktok',
  title: 'TikTok for Developers: the app’s client secret signs',
  secret: 'theirs',
  settings,
  keptHeaders: [],
  verify: (request, { secrets, now }) => {
    const header = headerOf(request, 'tiktok-signature');
    if (header === undefined) return missing('TikTok-Signature');
    const pairs = readPairs(header);
    const [time = ''] = pairs.get('t') ?? [];
    const inTime = checkTime(time, now);
    if (inTime !== 'valid') return inTime;
    const fits = anyFits(pairs.get('s') ?? [], secrets, (secret) =>
      hmac('sha256', 'hex', secret, [`${time}.`, request.body]),
    );
    return fits ? 'valid' : WRONG_SIGNATURE;
  },
  events: (request) => {
    const body = textOf(request);
    const key = digestOf(request.body);
    return [{ key, identity: key, type: parseJson(body, eventSchema).event, body }];
  },
};
