import type { Session, WebhookOverview, WebhookRow } from '@stratum/dashboard/answers';
import type { JSX } from 'preact';
import { call } from '../api.js';
import { age, count, since } from '../format.js';
import { Badge, Empty, Failed, Loading, Scroll, useLoaded } from '../ui.js';
import { WebhookDeliveries } from './webhook-deliveries.js';

export type Direction = WebhookRow['direction'];

export function Webhooks({ session, path }: { session: Session; path: readonly string[] }): JSX.Element {
  const [direction, tenant, id] = path;
  if ((direction === 'in' || direction === 'out') && tenant !== undefined && id !== undefined)
    return (
      <WebhookDeliveries
        key={path.join('/')}
        direction={direction}
        place={`${direction}/${tenant}/${id}`}
        session={session}
      />
    );
  return <Overview session={session} />;
}

function Overview({ session }: { session: Session }): JSX.Element {
  const { value, error, reload } = useLoaded('webhooks', () => call<WebhookOverview>('GET', '/api/webhooks'));
  if (value === undefined) return error === undefined ? <Loading /> : <Failed error={error} retry={reload} />;
  const { rows, more } = value;
  const now = Date.parse(value.now);
  return (
    <>
      <header class="page-head">
        <h1>Webhooks</h1>
        <button type="button" class="button" onClick={reload}>
          Refresh
        </button>
      </header>
      {rows.length === 0 ? (
        <Empty title="No webhooks">
          Endpoints receive events of Shopify, Stripe and others; subscriptions send Stratum's events out. Add
          them with <code>stratum webhooks create</code> and <code>stratum subscriptions create</code>.
        </Empty>
      ) : (
        <>
          <Part
            title="Received"
            empty="No endpoint receives events."
            rows={rows.filter(({ direction }) => direction === 'in')}
            session={session}
            now={now}
          />
          <Part
            title="Sent"
            empty="No subscription sends events."
            rows={rows.filter(({ direction }) => direction === 'out')}
            session={session}
            now={now}
          />
        </>
      )}
      {more && <p class="note">The 500 that need a look first are listed.</p>}
    </>
  );
}

function Part({
  title,
  empty,
  rows,
  session,
  now,
}: {
  title: string;
  empty: string;
  rows: readonly WebhookRow[];
  session: Session;
  now: number;
}): JSX.Element {
  return (
    <section>
      <header class="section-head">
        <h2>
          {title} <span class="faint">{count(rows.length)}</span>
        </h2>
      </header>
      {rows.length === 0 ? (
        <p class="note">{empty}</p>
      ) : (
        <Scroll label={title}>
          <table class="runs">
            <thead>
              <tr>
                <th>{title === 'Sent' ? 'To' : 'Endpoint'}</th>
                {session.tenant === null && <th>Tenant</th>}
                <th>Status</th>
                <th class="number">Waiting</th>
                <th class="number">{title === 'Sent' ? 'Delivered, 24 h' : 'Processed, 24 h'}</th>
                <th class="number">Failed, 24 h</th>
                <th class="number">{title === 'Sent' ? 'Skipped, 24 h' : 'Ignored, 24 h'}</th>
                <th>Last event</th>
                <th>Last success</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.id}>
                  <th scope="row">
                    <a href={`/webhooks/${row.direction}/${row.tenant_id}/${row.id}`}>{row.name}</a>
                    <span class="faint second kind" title={row.kind}>
                      {row.kind}
                    </span>
                  </th>
                  {session.tenant === null && <td>{row.tenant}</td>}
                  <td>
                    <WebhookStatus status={row.status} reason={row.reason} />
                  </td>
                  <td class="number">{count(row.waiting)}</td>
                  <td class="number">{count(row.done)}</td>
                  <td class={row.failed > 0 ? 'number bad' : 'number faint'}>{count(row.failed)}</td>
                  <td class="number faint">{count(row.ignored)}</td>
                  <td>{row.last_at === null ? 'none in a day' : `${age(since(row.last_at, now))} ago`}</td>
                  <td>{row.last_success === null ? '–' : `${age(since(row.last_success, now))} ago`}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </section>
  );
}

const STATUS: Readonly<Record<string, readonly [icon: string, look: string, word: string]>> = {
  active: ['success', 'success', 'Active'],
  paused: ['pause', 'retry', 'Paused'],
  disabled: ['failure', 'failure', 'Disabled'],
};

export function WebhookStatus({ status, reason }: { status: string; reason: string | null }): JSX.Element {
  const [icon, look, word] = STATUS[status] ?? ['question', 'queued', status];
  return (
    <>
      <Badge icon={icon} look={look} word={word} />
      {reason !== null && <span class="faint second reason">{reason}</span>}
    </>
  );
}
