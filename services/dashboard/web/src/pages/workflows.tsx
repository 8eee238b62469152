import type { WorkflowItem, WorkflowList } from '@stratum/dashboard/answers';
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call, query } from '../api.js';
import { duration, shortId, since } from '../format.js';
import { navigate, usePlace } from '../router.js';
import { Chips, Empty, Failed, Loading, Scroll, Time, useLoaded } from '../ui.js';
import { WorkflowBadge } from './workflow-graph.js';

const STATES: readonly (readonly [label: string, state: string])[] = [
  ['All', ''],
  ['Running', 'STARTED'],
  ['Failed', 'FAILURE'],
  ['Succeeded', 'SUCCESS'],
  ['Cancelled', 'REVOKED'],
];

export function Workflows(): JSX.Element {
  const place = usePlace().query;
  const filter = {
    state: place.get('state') ?? '',
    tenant: place.get('tenant') ?? '',
    definition: place.get('definition') ?? '',
  };
  const before = place.get('before');
  const asked = query({ ...filter, before });
  const { value, error, reload } = useLoaded(asked, () =>
    call<WorkflowList>('GET', `/api/workflows${asked}`),
  );
  return (
    <>
      <header class="page-head">
        <h1>Workflows</h1>
        <button type="button" class="button" onClick={reload}>
          Refresh
        </button>
      </header>
      <FilterForm key={asked} filter={filter} />
      <Chips
        label="States"
        chips={STATES.map(([label, state]) => ({
          label,
          href: `/workflows${query({ ...filter, state })}`,
          isCurrent: filter.state === state,
        }))}
      />
      {error !== undefined && <Failed error={error} retry={reload} />}
      {value === undefined && error === undefined && <Loading />}
      {value !== undefined && <Results list={value} filter={filter} isFirst={before === null} />}
    </>
  );
}

interface Filter extends Record<string, string> {
  state: string;
  tenant: string;
  definition: string;
}

function FilterForm({ filter }: { filter: Filter }): JSX.Element {
  const [values, setValues] = useState(filter);
  return (
    <form
      class="filters"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        navigate(`/workflows${query(values)}`);
      }}
    >
      <label>
        <span>Definition</span>
        <input
          type="search"
          autocomplete="off"
          placeholder="A task, or part of a shape: sync_campaign_data →"
          value={values.definition}
          onInput={({ currentTarget }) => setValues({ ...values, definition: currentTarget.value.trim() })}
        />
      </label>
      <label class="narrow">
        <span>Tenant</span>
        <input
          type="search"
          inputmode="numeric"
          autocomplete="off"
          pattern="[0-9]*"
          placeholder="7"
          value={values.tenant}
          onInput={({ currentTarget }) => setValues({ ...values, tenant: currentTarget.value.trim() })}
        />
      </label>
      <button type="submit" class="button">
        Search
      </button>
    </form>
  );
}

function Results({
  list: { items, next, searched_until: until },
  filter,
  isFirst,
}: {
  list: WorkflowList;
  filter: Filter;
  isFirst: boolean;
}): JSX.Element {
  if (items.length === 0 && next === null)
    return isFirst && Object.values(filter).every((value) => value === '') ? (
      <Empty title="No workflows">
        A workflow is a chain, group or chord of tasks. Start one:{' '}
        <code>stratum workflow start '{'{"chain": […]}'}'</code>
      </Empty>
    ) : (
      <Empty title="Nothing matches">
        Every workflow that the broker keeps was searched. <a href="/workflows">Show all workflows</a>
      </Empty>
    );
  return (
    <>
      {items.length > 0 && <WorkflowTable items={items} filter={filter} />}
      <footer class="more">
        {next === null ? (
          <span class="faint">Those are all that the broker keeps.</span>
        ) : (
          <>
            {until !== null && (
              <span class="faint">
                Searched back to <Time at={until} />
              </span>
            )}
            <a class="button" href={`/workflows${query({ ...filter, before: next })}`}>
              Older
            </a>
          </>
        )}
      </footer>
    </>
  );
}

function WorkflowTable({ items, filter }: { items: readonly WorkflowItem[]; filter: Filter }): JSX.Element {
  const now = Date.now();
  return (
    <Scroll label="Workflows">
      <table class="runs">
        <thead>
          <tr>
            <th>State</th>
            <th>Workflow</th>
            <th>Definition</th>
            <th class="number">Tenant</th>
            <th>Started</th>
            <th class="number">Ran</th>
            <th>Failed at</th>
          </tr>
        </thead>
        <tbody>
          {items.map((each) => (
            <tr key={each.id}>
              <td>
                <WorkflowBadge state={each.state} />
              </td>
              <td>
                <a class="mono" href={`/workflows/${each.id}`} title={each.id}>
                  {shortId(each.id, 28)}
                </a>
              </td>
              <td class="cut" title={each.outline ?? undefined}>
                {each.outline === null ? (
                  <span class="faint">Not readable</span>
                ) : (
                  <a href={`/workflows${query({ ...filter, definition: each.outline })}`}>{each.outline}</a>
                )}
              </td>
              <td class="number">
                {each.tenant === null ? (
                  '–'
                ) : (
                  <a href={`/workflows${query({ ...filter, tenant: each.tenant })}`}>{each.tenant}</a>
                )}
              </td>
              <td class="nowrap">
                <Time at={each.started_at} />
              </td>
              <td class="number">
                {duration(each.runtime_ms ?? (each.state === 'STARTED' ? since(each.started_at, now) : null))}
              </td>
              <td class="bad cut" title={each.error?.message}>
                {each.failed === null ? (
                  each.error !== null && `${each.error.type}: ${each.error.message}`
                ) : (
                  <>
                    <a href={`/tasks/${each.failed.task_id}`}>{each.failed.task}</a>
                    {each.error !== null && ` ${each.error.type}: ${each.error.message}`}
                  </>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
