import type { Session, TenantOverview, TenantRow } from '@stratum/dashboard/answers';
import type { JSX } from 'preact';
import { call, query } from '../api.js';
import { age, count, duration, since } from '../format.js';
import { Empty, Failed, Loading, Scroll, useLoaded } from '../ui.js';
import { TenantPage } from './tenant.js';

export function Tenants({ session, detail }: { session: Session; detail: string | undefined }): JSX.Element {
  return detail === undefined ? <Overview /> : <TenantPage key={detail} tenant={detail} session={session} />;
}

function Overview(): JSX.Element {
  const { value, error, reload } = useLoaded('tenants', () => call<TenantOverview>('GET', '/api/tenants'));
  if (value === undefined) return error === undefined ? <Loading /> : <Failed error={error} retry={reload} />;
  const { rows, more, run_ms: all, now } = value;
  return (
    <>
      <header class="page-head">
        <h1>
          Tenants <span class="faint">{count(rows.length)}</span>
        </h1>
        <button type="button" class="button" onClick={reload}>
          Refresh
        </button>
      </header>
      {rows.length === 0 ? (
        <Empty title="No tenants">
          Make one with <code>stratum tenants create</code>, or a demonstration with{' '}
          <code>stratum db seed</code>.
        </Empty>
      ) : (
        <Scroll label="Tenants">
          <table class="runs">
            <thead>
              <tr>
                <th>Tenant</th>
                <th>Plan</th>
                <th class="number">In queues</th>
                <th class="number">Running</th>
                <th class="number">Will retry</th>
                <th class="number">Ended, 24 h</th>
                <th class="number">Failed, 24 h</th>
                <th>Share of run time, 24 h</th>
                <th>Last end</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <Row key={row.tenant_id} row={row} all={all} now={Date.parse(now)} />
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      {more && <p class="note">The 500 tenants that kept workers busiest are listed.</p>}
    </>
  );
}

function Row({ row, all, now }: { row: TenantRow; all: number; now: number }): JSX.Element {
  const share = all === 0 ? 0 : row.run_ms / all;
  return (
    <tr>
      <th scope="row">
        <a href={`/tenants/${row.tenant_id}`}>{row.name}</a>
        <span class="faint second">tenant {row.tenant_id}</span>
      </th>
      <td>{row.plan}</td>
      <td class="number">{row.queued === null ? '–' : count(row.queued)}</td>
      <td class="number">{count(row.running)}</td>
      <td class="number">{count(row.retrying)}</td>
      <td class="number">{count(row.ended)}</td>
      <td class="number">
        {row.failed === 0 ? (
          <span class="faint">0</span>
        ) : (
          <a class="bad" href={`/tasks${query({ q: `state:failure tenant:${row.tenant_id}` })}`}>
            {count(row.failed)}
          </a>
        )}
      </td>
      <td>
        <span class="slots">
          <meter min={0} max={1} value={share} aria-label="Share of run time" />
          {(share * 100).toFixed(share < 0.1 ? 1 : 0)} %<span class="faint">{duration(row.run_ms)}</span>
        </span>
      </td>
      <td>
        {row.last_end === null ? <span class="faint">none</span> : `${age(since(row.last_end, now))} ago`}
      </td>
    </tr>
  );
}
