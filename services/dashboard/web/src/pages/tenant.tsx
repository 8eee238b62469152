import type { Session, TenantDetail, TenantLimit } from '@stratum/dashboard/answers';
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call, query } from '../api.js';
import { count, duration } from '../format.js';
import { ActionButton, Badge, ConfirmDialog, Failed, Loading, refusalOf, Scroll, useLoaded } from '../ui.js';

export function TenantPage({ tenant, session }: { tenant: string; session: Session }): JSX.Element {
  const { value, error, reload } = useLoaded(tenant, () =>
    call<TenantDetail>('GET', `/api/tenants/${tenant}`),
  );
  if (value === undefined) return error === undefined ? <Loading /> : <Failed error={error} retry={reload} />;
  return (
    <>
      <nav class="crumbs" aria-label="Place">
        <a href="/tenants">Tenants</a> / {value.name}
      </nav>
      <header class="page-head">
        <div>
          <h1>{value.name}</h1>
          <p class="faint">
            Tenant {value.tenant_id}, plan {value.plan}
          </p>
        </div>
        <div class="buttons">
          <a class="button" href={`/tasks${query({ q: `tenant:${value.tenant_id}` })}`}>
            Tasks
          </a>
          <a class="button" href={`/workflows${query({ tenant: value.tenant_id })}`}>
            Workflows
          </a>
          <a class="button" href={`/pipelines/${value.tenant_id}`}>
            Pipeline
          </a>
          <button type="button" class="button" onClick={reload}>
            Refresh
          </button>
        </div>
      </header>
      <section>
        <header class="section-head">
          <h2>Limits</h2>
        </header>
        <Limits limits={value.limits} tenant={value.tenant_id} session={session} onChange={reload} />
      </section>
      <div class="facts">
        <section>
          <header class="section-head">
            <h2>In queues now</h2>
          </header>
          <Queues queues={value.queues} />
        </section>
        <section>
          <header class="section-head">
            <h2>Tasks by run time, 24 hours</h2>
          </header>
          <Tasks tasks={value.tasks} tenant={value.tenant_id} />
        </section>
      </div>
    </>
  );
}

const NEAR = 0.8;

function Limits({
  limits,
  tenant,
  session,
  onChange,
}: {
  limits: readonly TenantLimit[];
  tenant: number;
  session: Session;
  onChange: () => void;
}): JSX.Element {
  return (
    <Scroll label="Limits">
      <table class="runs">
        <thead>
          <tr>
            <th>Limit</th>
            <th>In use</th>
            <th class="number">At most</th>
            <th>Set by</th>
            <th class="actions">Actions</th>
          </tr>
        </thead>
        <tbody>
          {limits.map((limit) => (
            <tr key={limit.name}>
              <th scope="row">
                {limit.meaning}
                <span class="faint second mono">{limit.name}</span>
              </th>
              <td>
                <Use limit={limit} />
              </td>
              <td class="number">{count(limit.limit)}</td>
              <td>{limit.set_by === 'plan' ? <span class="faint">the plan</span> : 'the operator'}</td>
              <td class="actions">
                <ChangeButtons limit={limit} tenant={tenant} session={session} onChange={onChange} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Use({ limit: { used, limit } }: { limit: TenantLimit }): JSX.Element {
  if (used === null) return <span class="faint">for each workflow</span>;
  return (
    <span class="slots">
      <meter min={0} max={Math.max(limit, 1)} value={Math.min(used, limit)} aria-label="In use" />
      {count(used)}
      {used >= limit ? (
        <Badge icon="failure" look="failure" word="Used up" />
      ) : (
        used >= limit * NEAR && <Badge icon="alert" look="retry" word="Nearly used up" />
      )}
    </span>
  );
}

function ChangeButtons({
  limit: { name, meaning, limit, set_by: setBy },
  tenant,
  session,
  onChange,
}: {
  limit: TenantLimit;
  tenant: number;
  session: Session;
  onChange: () => void;
}): JSX.Element {
  const [asks, setAsks] = useState<'change' | 'reset'>();
  const refusal = refusalOf(session, 'tenants:limit');
  const set = async (to: number | null): Promise<void> => {
    await call('POST', `/api/tenants/${tenant}/limits/${name}`, { limit: to });
    onChange();
  };
  return (
    <div class="buttons">
      {setBy === 'operator' && (
        <ActionButton refusal={refusal} look="quiet" onClick={() => setAsks('reset')}>
          As the plan
        </ActionButton>
      )}
      <ActionButton refusal={refusal} onClick={() => setAsks('change')}>
        Change
      </ActionButton>
      {asks === 'change' && (
        <ConfirmDialog
          title={`Change the limit ${name}?`}
          text={`${meaning}. The new limit holds within a minute.`}
          field={{ label: 'At most', value: String(limit), type: 'number' }}
          action="Change"
          onClose={() => setAsks(undefined)}
          onConfirm={(text) => set(Number(text))}
        />
      )}
      {asks === 'reset' && (
        <ConfirmDialog
          title={`Set ${name} as the plan says?`}
          text="The limit of the operator is removed. The change holds within a minute."
          action="Set as the plan"
          onClose={() => setAsks(undefined)}
          onConfirm={() => set(null)}
        />
      )}
    </div>
  );
}

function Queues({ queues }: { queues: TenantDetail['queues'] }): JSX.Element {
  if (queues.length === 0) return <p class="note">No task of the tenant waits or runs.</p>;
  return (
    <Scroll label="Queues">
      <table>
        <thead>
          <tr>
            <th>Queue</th>
            <th class="number">High</th>
            <th class="number">Normal</th>
            <th class="number">Low</th>
          </tr>
        </thead>
        <tbody>
          {queues.map(({ queue, high, normal, low }) => (
            <tr key={queue}>
              <th scope="row">
                <a href={`/queues/${queue}`}>{queue}</a>
              </th>
              <td class="number">{count(high)}</td>
              <td class="number">{count(normal)}</td>
              <td class="number">{count(low)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Tasks({ tasks, tenant }: { tasks: TenantDetail['tasks']; tenant: number }): JSX.Element {
  if (tasks.length === 0) return <p class="note">No task of the tenant ended within a day.</p>;
  return (
    <Scroll label="Tasks">
      <table>
        <thead>
          <tr>
            <th>Task</th>
            <th class="number">Ended</th>
            <th class="number">Failed</th>
            <th class="number">Run time</th>
          </tr>
        </thead>
        <tbody>
          {tasks.map(({ task, ended, failed, run_ms: ms }) => (
            <tr key={task}>
              <th scope="row">
                <a href={`/tasks${query({ q: `task:${task} tenant:${tenant}` })}`}>{task}</a>
              </th>
              <td class="number">{count(ended)}</td>
              <td class={failed > 0 ? 'number bad' : 'number faint'}>{count(failed)}</td>
              <td class="number">{duration(ms)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
