/** One tenant's data, for those who work with them. */
import type {
  JobRow,
  PipelineAccount,
  PipelineAlert,
  Session,
  TenantPipeline,
} from '@stratum/dashboard/answers';
import type { JSX } from 'preact';
import { call, query } from '../api.js';
import { age, count, since } from '../format.js';
import {
  Badge,
  ConfirmedButton,
  Failed,
  Icon,
  Loading,
  refusalOf,
  Scroll,
  StateBadge,
  Time,
  useLoaded,
} from '../ui.js';
import { CheckButton, sentence, StatusBadge, worstFirst } from './pipelines.js';

export function TenantPipelinePage({ tenant, session }: { tenant: string; session: Session }): JSX.Element {
  const { value, error, reload } = useLoaded(tenant, () =>
    call<TenantPipeline>('GET', `/api/pipelines/${tenant}`),
  );
  if (value === undefined) return error === undefined ? <Loading /> : <Failed error={error} retry={reload} />;
  const { accounts, jobs, alerts, checked } = value;
  const now = Date.parse(value.now);
  return (
    <>
      {session.tenant === null && (
        <nav class="crumbs" aria-label="Place">
          <a href="/pipelines">Pipelines</a> / {value.name}
        </nav>
      )}
      <header class="page-head">
        <div>
          <h1>
            {session.tenant === null ? value.name : 'Pipelines'} <StatusBadge status={value.status} />
          </h1>
          <p class="faint">
            {checked === null ? (
              'Not checked yet: the check runs every hour.'
            ) : (
              <>
                Last check <Time at={checked.at} />: {checked.status}.
              </>
            )}
          </p>
        </div>
        <div class="buttons">
          <CheckButton session={session} onChange={reload} />
          <button type="button" class="button" onClick={reload}>
            Refresh
          </button>
        </div>
      </header>
      <Wrong pipeline={value} />
      <section>
        <header class="section-head">
          <h2>Accounts</h2>
          <span class="faint">Late after {age(value.target_ms)}</span>
        </header>
        {accounts.length === 0 ? (
          <p class="note">
            No ad account is connected. Connect one with <code>stratum accounts connect</code>.
          </p>
        ) : (
          <Accounts
            accounts={accounts}
            tenant={value.tenant_id}
            now={now}
            session={session}
            onChange={reload}
          />
        )}
      </section>
      <section>
        <header class="section-head">
          <h2>Jobs</h2>
        </header>
        <Jobs jobs={jobs} tenant={value.tenant_id} now={now} />
      </section>
      {alerts.length > 0 && (
        <section>
          <header class="section-head">
            <h2>
              Open alerts <span class="faint">{count(alerts.length)}</span>
            </h2>
          </header>
          <ul class="alerts">
            {alerts.map((alert) => (
              <Alert key={`${alert.kind} ${alert.opened_at} ${alert.title}`} alert={alert} />
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

/** What is wrong now: of accounts by the rules of the check, of jobs by their schedules. */
function Wrong({ pipeline: { findings, jobs, accounts } }: { pipeline: TenantPipeline }): JSX.Element {
  const late = jobs.filter((job) => job.late);
  if (findings.length === 0 && late.length === 0)
    return (
      <p class="verdict-line state-success">
        <Icon name="success" />
        {accounts.length === 0
          ? 'Nothing is late.'
          : 'Every account is connected and fresh, and every job ran as scheduled.'}
      </p>
    );
  return (
    <ul class="alerts">
      {worstFirst(findings).map(({ severity, text }) => (
        <li key={text} class={`card alert-${severity === 'critical' ? 'critical' : 'warning'}`}>
          <Icon name={severity === 'critical' ? 'failure' : 'alert'} />
          <b>{sentence(text)}.</b>
        </li>
      ))}
      {late.map((job) => (
        <li key={job.task} class="card alert-warning">
          <Icon name="alert" />
          <span>
            <b>{job.data}: late.</b>{' '}
            <span class="faint">
              {job.last_success === null ? (
                'No run has succeeded in three days.'
              ) : (
                <>
                  The last good run ended <Time at={job.last_success} />.
                </>
              )}
            </span>
          </span>
        </li>
      ))}
    </ul>
  );
}

function Accounts({
  accounts,
  tenant,
  now,
  session,
  onChange,
}: {
  accounts: readonly PipelineAccount[];
  tenant: number;
  now: number;
  session: Session;
  onChange: () => void;
}): JSX.Element {
  return (
    <Scroll label="Accounts">
      <table class="runs">
        <thead>
          <tr>
            <th>Account</th>
            <th>Data</th>
            <th>Last sync</th>
            <th class="number">Failed, 24 h</th>
            <th>Access</th>
            <th class="actions">Actions</th>
          </tr>
        </thead>
        <tbody>
          {accounts.map((account) => (
            <tr key={`${account.platform} ${account.account}`}>
              <th scope="row">
                {account.title}
                <span class="faint second mono">{account.account}</span>
              </th>
              <td>
                <Age account={account} now={now} />
                {account.missing_days.length > 0 && (
                  <span class="bad second">no figures for {account.missing_days.join(', ')}</span>
                )}
              </td>
              <td>
                <LastRun account={account} />
              </td>
              <td class={account.failed > 0 ? 'number bad' : 'number'}>
                {account.runs === 0 ? '–' : `${count(account.failed)} of ${count(account.runs)}`}
              </td>
              <td>
                <Access account={account} now={now} />
              </td>
              <td class="actions">
                <SyncButton account={account} tenant={tenant} session={session} onChange={onChange} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Age({ account, now }: { account: PipelineAccount; now: number }): JSX.Element {
  const { status, late, last_synced_at: at } = account;
  // Without access nothing is due, and nothing gets any newer.
  const isOld = late || status === 'needs_reconnect';
  if (at === null) return <Badge icon="alert" look="retry" word="Never synced" />;
  return (
    <span title={at}>
      <Badge
        icon={isOld ? 'alert' : 'success'}
        look={isOld ? 'retry' : 'success'}
        word={`${age(since(at, now))} old`}
      />
    </span>
  );
}

const OUTCOMES: Readonly<Record<string, 'SUCCESS' | 'FAILURE' | 'STARTED'>> = {
  succeeded: 'SUCCESS',
  failed: 'FAILURE',
  running: 'STARTED',
};

function LastRun({ account: { last_run: run } }: { account: PipelineAccount }): JSX.Element {
  if (run === null) return <span class="faint">None yet</span>;
  return (
    <>
      <StateBadge state={OUTCOMES[run.outcome] ?? 'QUEUED'} />{' '}
      <a href={`/tasks/${run.task_id}`}>
        <Time at={run.started_at} />
      </a>
      {run.error_message === null ? (
        <span class="faint second">
          {run.window_since} to {run.window_until}: {count(run.metric_rows_read)} rows,{' '}
          {count(run.metric_rows_written)} changed
        </span>
      ) : (
        <span class="second bad cut" title={run.error_message}>
          {run.error_message}
        </span>
      )}
    </>
  );
}

const DAY_MS = 86_400_000;
const SOON_DAYS = 7;

function Access({ account, now }: { account: PipelineAccount; now: number }): JSX.Element {
  const { status, token_expires_at: at } = account;
  if (status === 'needs_reconnect') return <Badge icon="failure" look="failure" word="Connect again" />;
  if (at === null) return <span class="faint">No end</span>;
  const days = (Date.parse(at) - now) / DAY_MS;
  if (days <= 0) return <Badge icon="failure" look="failure" word="Expired" />;
  return days <= SOON_DAYS ? (
    <Badge icon="alert" look="retry" word={`${Math.ceil(days)} days left`} />
  ) : (
    <>{Math.floor(days)} days left</>
  );
}

function SyncButton({
  account,
  tenant,
  session,
  onChange,
}: {
  account: PipelineAccount;
  tenant: number;
  session: Session;
  onChange: () => void;
}): JSX.Element {
  const name = account.title;
  return (
    <div class="buttons">
      <a
        class="button"
        href={`/tasks${query({ q: `task:sync_campaign_data tenant:${tenant}` })}`}
        aria-label={`Runs of ${name} ${account.account}`}
      >
        Runs
      </a>
      <ConfirmedButton
        label="Sync now"
        title={`Sync ${name} now?`}
        text={`All accounts of ${name} of this tenant are read in one task, in addition to the hourly sync.`}
        refusal={refusalOf(session, 'pipelines:control')}
        onConfirm={async () => {
          await call('POST', `/api/pipelines/${tenant}/sync`, { platform: account.platform });
          onChange();
        }}
      />
    </div>
  );
}

function Jobs({ jobs, tenant, now }: { jobs: readonly JobRow[]; tenant: number; now: number }): JSX.Element {
  return (
    <Scroll label="Jobs">
      <table class="runs">
        <thead>
          <tr>
            <th>Data</th>
            <th>Last good run</th>
            <th>Last run</th>
            <th class="number">Failed, 24 h</th>
            <th>Next</th>
            <th>Schedule</th>
          </tr>
        </thead>
        <tbody>
          {jobs.map((job) => (
            <tr key={job.task}>
              <th scope="row">
                <a href={`/tasks${query({ q: `task:${job.task} tenant:${tenant}` })}`}>{job.data}</a>
                {job.late && <Badge icon="alert" look="retry" word="Late" />}
              </th>
              <td>
                {job.last_success === null ? (
                  <span class="faint">none in three days</span>
                ) : (
                  <>
                    {age(since(job.last_success, now))} ago{' '}
                    <span class="faint">
                      <Time at={job.last_success} />
                    </span>
                  </>
                )}
              </td>
              <td>
                {job.last_state === null ? (
                  <span class="faint">–</span>
                ) : (
                  <StateBadge state={job.last_state} />
                )}
              </td>
              <td class={job.failed > 0 ? 'number bad' : 'number'}>
                {job.ended === 0 ? '–' : `${count(job.failed)} of ${count(job.ended)}`}
              </td>
              <td>
                {job.next === null ? (
                  <span class="faint">not scheduled</span>
                ) : (
                  `in ${age(Math.max(0, Date.parse(job.next) - now))}`
                )}
              </td>
              <td>
                <code>{job.cron}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Alert({
  alert: { severity, title, message, opened_at: at },
}: {
  alert: PipelineAlert;
}): JSX.Element {
  return (
    <li class={`card alert-${severity}`}>
      <Icon name={severity === 'critical' ? 'failure' : severity === 'warning' ? 'alert' : 'question'} />
      <span>
        <b>{title}</b>{' '}
        <span class="faint">
          since <Time at={at} />
        </span>
        <span class="second">{message}</span>
      </span>
    </li>
  );
}
