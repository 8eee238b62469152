/** The page that explains the sandbox, with commands to copy. */
import { FAULT_KINDS, type ActiveFault, type FaultKind } from './faults.js';
import { SANDBOX_PLATFORMS } from './platforms/platforms.js';

export interface ControlPage {
  today: string;
  /** Where the sandbox listens. */
  port: number;
  faults: readonly ActiveFault[];
}

const MEANING: Readonly<Record<FaultKind, string>> = {
  rate_limit: 'refused as one too many, with a wait of <code>retryAfterMs</code>',
  server_error: 'answered with a server error',
  slow: 'answered after <code>delayMs</code>',
  broken_json: 'answered with JSON that breaks off',
  expired_token: 'refused, because the access token has expired',
  page_failure: 'a page after the first of a listing is answered with a server error',
  permission: 'refused for want of a permission',
  disconnect: 'cut off in the middle',
  answer:
    'answered with <code>status</code>, <code>headers</code> and <code>body</code>; without a body as ever, with these headers besides',
};

const STYLE = `:root{color-scheme:light dark;--text:#1c2430;--ground:#fff;--code:#f3f5f8;--line:#dde2e9}
@media(prefers-color-scheme:dark){:root{--text:#dfe5ee;--ground:#14181f;--code:#1e242e;--line:#333c49}}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:3rem auto;padding:0 1rem;color:var(--text);background:var(--ground)}
pre{background:var(--code);padding:1rem;border-radius:6px;white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85em}
code{font-size:.9em}table{border-collapse:collapse}td{padding:.2rem 1.2rem .2rem 0;border-bottom:1px solid var(--line);vertical-align:top}`;

export function controlPage({ today, port, faults }: ControlPage): string {
  const address = `localhost:${port}`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Stratum sandbox</title>
<link rel="icon" href="data:,"><style>${STYLE}</style></head><body>
<h1>Stratum sandbox</h1>
<p>A local stand-in for ${SANDBOX_PLATFORMS.join(', ')}, WhatsApp, WordPress and competitors’ sites. Its data are made up, the same every time, and grow from day to day.
Today is <strong>${today}</strong>.</p>
<h2>Let a platform fail</h2>
<pre>curl ${address}/_control/faults -d '{"platform": "meta", "kind": "rate_limit", "retryAfterMs": 60000}'
npx stratum call sync_campaign_data '{"tenant_id":1,"platform":"meta"}' --wait # retries until it is over
curl ${address}/_control/faults                 # faults still pending
curl -X DELETE ${address}/_control/faults       # no more</pre>
<p>${still(faults)} A fault takes the next <code>times</code> requests (1; <code>null</code>: all), once <code>afterRequests</code> have passed (0), of those whose path contains
<code>path</code>.</p>
<table>${FAULT_KINDS.map((kind) => `<tr><td><code>${kind}</code></td><td>${MEANING[kind]}</td></tr>`).join('')}</table>
<h2>Let days pass</h2>
<pre>curl ${address}/_control/clock -d '{"days": 1}'</pre>
<h2>Receive events</h2>
<p>Any name is a receiver of events that the platform sends out.</p>
<pre>npx stratum subscriptions create http://127.0.0.1:${port}/receiver/mine --events segment.entered --tenant 1
curl ${address}/receiver/mine           # requests received
curl -X PUT ${address}/receiver/mine/secret -d '{"secret": "whsec_…"}' # verify signatures by it
curl -X PUT ${address}/receiver/mine/answer -d '{"status": 503, "times": 3, "retry_after": 10}'</pre>
</body></html>`;
}

function still(faults: readonly ActiveFault[]): string {
  if (faults.length === 0) return 'No fault is to come.';
  const words = faults.map(
    ({ platform, kind, times }) => `<code>${kind}</code> of ${platform} (${times ?? 'always'})`,
  );
  return `To come: ${words.join(', ')}.`;
}
