/** GitHub. Only the body is signed; event and id are in headers, so effects are keyed by the body. */
import { z } from 'zod';
import { textOf } from '../json.js';
import { digestOf, headerOf, newHexSecret } from '../signature.js';
import type { WebhookSource } from '../source.js';
import { verifyHubSignature } from './meta.js';

const settings = z.strictObject({});

export const github: WebhookSource<z.output<typeof settings>> = {
  name: 'github',
  title: 'GitHub: a secret of your choice',
  secret: 'ours',
  newSecret: newHexSecret,
  settings,
  keptHeaders: ['x-github-event', 'x-github-delivery', 'x-github-hook-id', 'content-type'],
  verify: verifyHubSignature,
  events: (request) => {
    const digest = digestOf(request.body);
    return [
      {
        key: headerOf(request, 'x-github-delivery') ?? digest,
        identity: digest,
        type: headerOf(request, 'x-github-event') ?? 'unknown',
        body: jsonOf(textOf(request), headerOf(request, 'content-type')),
      },
    ];
  },
};

/** GitHub sends JSON by itself or as the field of a form, as its hook is set. */
function jsonOf(text: string, contentType: string | undefined): string {
  if (contentType?.startsWith('application/x-www-form-urlencoded') !== true) return text;
  return new URLSearchParams(text).get('payload') ?? text;
}
