import type { PipelineOverview, PipelineRow, PlatformCell, Session } from '@stratum/dashboard/answers';
import type { JSX } from 'preact';
import { call } from '../api.js';
import { age, count, since } from '../format.js';
import {
  Badge,
  ConfirmedButton,
  Empty,
  Failed,
  Icon,
  Loading,
  refusalOf,
  Scroll,
  Time,
  useLoaded,
} from '../ui.js';
import { TenantPipelinePage } from './tenant-pipeline.js';

export function Pipelines({
  session,
  detail,
}: {
  session: Session;
  detail: string | undefined;
}): JSX.Element {
  const own = session.tenant === null ? detail : String(session.tenant);
  // A tenant has one pipeline: its own.
  return own === undefined ? (
    <Overview session={session} />
  ) : (
    <TenantPipelinePage key={own} tenant={own} session={session} />
  );
}

function Overview({ session }: { session: Session }): JSX.Element {
  const { value, error, reload } = useLoaded('pipelines', () =>
    call<PipelineOverview>('GET', '/api/pipelines'),
  );
  if (value === undefined) return error === undefined ? <Loading /> : <Failed error={error} retry={reload} />;
  const { rows, more } = value;
  const late = rows.filter(({ status }) => status !== null && status !== 'healthy').length;
  return (
    <>
      <header class="page-head">
        <div>
          <h1>Pipelines</h1>
          <p class="faint">
            {late === 0
              ? 'The last check of each tenant found nothing wrong.'
              : `${count(late)} of ${count(rows.length)} tenants need a look.`}{' '}
            Data are late after {age(value.target_ms)}.
          </p>
        </div>
        <div class="buttons">
          <CheckButton session={session} onChange={reload} />
          <button type="button" class="button" onClick={reload}>
            Refresh
          </button>
        </div>
      </header>
      {rows.length === 0 ? (
        <Empty title="No tenants">
          Their data appear here with the first tenant. Make one with <code>stratum tenants create</code>, or
          a demonstration with <code>stratum db seed</code>.
        </Empty>
      ) : (
        <Matrix overview={value} />
      )}
      {more && <p class="note">The 500 tenants that need a look first are listed.</p>}
    </>
  );
}

function Matrix({ overview: { rows, now } }: { overview: PipelineOverview }): JSX.Element {
  const at = Date.parse(now);
  const titles = new Map(
    rows.flatMap((row) => row.platforms.map(({ platform, title }) => [platform, title] as const)),
  );
  const platforms = [...titles].toSorted(([, a], [, b]) => a.localeCompare(b));
  return (
    <Scroll label="Age of the data of each tenant, by platform">
      <table class="matrix">
        <thead>
          <tr>
            <th>Tenant</th>
            <th>Last check</th>
            {platforms.map(([platform, title]) => (
              <th key={platform}>{title}</th>
            ))}
            <th class="number">Alerts</th>
            <th>What is wrong</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.tenant_id}>
              <th scope="row">
                <a href={`/pipelines/${row.tenant_id}`}>{row.name}</a>
                <span class="faint second">tenant {row.tenant_id}</span>
              </th>
              <td class="nowrap">
                <StatusBadge status={row.status} />
                <span class="faint second">
                  {row.checked_at === null ? 'never' : <Time at={row.checked_at} />}
                </span>
              </td>
              {platforms.map(([platform]) => (
                <Cell
                  key={platform}
                  cell={row.platforms.find((each) => each.platform === platform)}
                  tenant={row.tenant_id}
                  now={at}
                />
              ))}
              <td class={row.open_alerts > 0 ? 'number bad' : 'number faint'}>{count(row.open_alerts)}</td>
              <td class="wrong">
                <Findings row={row} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Findings({ row: { findings } }: { row: PipelineRow }): JSX.Element {
  const [first, ...others] = worstFirst(findings);
  if (first === undefined) return <span class="faint">–</span>;
  return (
    <>
      {sentence(first.text)}
      {others.length > 0 && <span class="faint second">and {count(others.length)} more</span>}
    </>
  );
}

export function worstFirst(findings: PipelineRow['findings']): PipelineRow['findings'] {
  return findings.toSorted((a, b) => a.severity.localeCompare(b.severity));
}

export function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const STATUS = {
  healthy: ['success', 'success', 'Healthy'],
  degraded: ['alert', 'retry', 'Degraded'],
  critical: ['failure', 'failure', 'Critical'],
} as const;

export function StatusBadge({ status }: { status: PipelineRow['status'] }): JSX.Element {
  const [icon, look, word] =
    status === null ? (['question', 'queued', 'Not checked'] as const) : STATUS[status];
  return <Badge icon={icon} look={look} word={word} />;
}

function Cell({
  cell,
  tenant,
  now,
}: {
  cell: PlatformCell | undefined;
  tenant: number;
  now: number;
}): JSX.Element {
  if (cell === undefined) return <td class="faint">–</td>;
  const { accounts, late, reconnect, oldest_sync: oldest } = cell;
  const look = reconnect > 0 ? 'failure' : late > 0 ? 'retry' : 'success';
  return (
    <td>
      <a class={`age state-${look}`} href={`/pipelines/${tenant}`}>
        <Icon name={reconnect > 0 ? 'failure' : late > 0 ? 'alert' : 'success'} />
        <span>
          {reconnect > 0 ? 'Connect again' : oldest === null ? 'Never synced' : age(since(oldest, now))}
          <span class="second">
            {late > 0 && reconnect === 0 ? 'late' : ''}
            {accounts > 1 && ` ${count(accounts)} accounts`}
          </span>
        </span>
      </a>
    </td>
  );
}

export function CheckButton({
  session,
  onChange,
}: {
  session: Session;
  onChange: () => void;
}): JSX.Element | null {
  if (session.tenant !== null) return null;
  return (
    <ConfirmedButton
      label="Check now"
      title="Check all pipelines now?"
      text="The hourly check runs once more: it looks at the accounts of every tenant, and opens and closes alerts."
      refusal={refusalOf(session, 'pipelines:control')}
      onConfirm={async () => {
        await call('POST', '/api/pipelines/check', {});
        onChange();
      }}
    />
  );
}
