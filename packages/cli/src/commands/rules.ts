import { dryRunRule, withTenant } from '@stratum/shared';
import {
  listRules,
  ruleExecutions,
  saveRule,
  setRuleStatus,
  type Rule,
  type RuleExecution,
  type RuleStatus,
} from '@stratum/shared/rules';
import { differenceOf } from '@stratum/shared/audit';
import { typed } from '../frame/invocation.js';
import { readJson } from '../input-file.js';
import { ago, flexible, optional, printJson, printTable, styled, wrapped } from '../output.js';
import { asTenant, withTenantPool, type TenantOptions, type TenantSession } from '../tenant-session.js';

interface SaveOptions extends TenantOptions {
  status?: RuleStatus;
  priority?: number;
}

export async function list(options: TenantOptions): Promise<void> {
  const rules = await asRules(options, ({ client }) => listRules(client));
  if (options.json) printJson(rules);
  else if (rules.length === 0)
    console.log(`No rules. Create one with: ${typed(`rules save <name> <file> --tenant ${options.tenant}`)}`);
  else printRules(rules);
}

export async function show(name: string, options: TenantOptions & { last: number }): Promise<void> {
  const { rule, executions } = await asRules(options, async ({ client }) => {
    const found = (await listRules(client)).find((each) => each.name === name) ?? unknownRule(name, options);
    return { rule: found, executions: await ruleExecutions(client, found.id, options.last) };
  });
  if (options.json) printJson({ ...rule, executions });
  else printRule(rule, executions);
}

export async function save(name: string, file: string, options: SaveOptions): Promise<void> {
  const { status, priority } = options;
  const definition = await readJson(file, 'The definition');
  const saved = await asRules(options, async ({ client, audit }) => {
    const before = (await listRules(client)).find((each) => each.name === name);
    const rule = await saveRule(client, { name, definition, status, priority });
    await audit('rule.saved', rule.id, { name, ...differenceOf(before, { ...before, ...rule, definition }) });
    return rule;
  });
  if (options.json) printJson(saved);
  else if (saved.status === 'active') console.log(`Saved “${name}”. It is evaluated every 15 minutes.`);
  else
    console.log(
      `Saved “${name}” as ${saved.status}. Activate it with: ${typed(`rules resume "${name}" --tenant ${options.tenant}`)}`,
    );
}

const DRY_RUN_TIMEOUT_MS = 120_000;

export async function dryRun(name: string, options: TenantOptions): Promise<void> {
  const { tenant, json } = options;
  const result = await withTenantPool({ tenant, subject: 'rule' }, async (pool, _audit, tasks) => {
    const rules = await withTenant(pool, tenant, (client) => listRules(client));
    const rule = rules.find((each) => each.name === name) ?? unknownRule(name, options);
    const { id } = await tasks.enqueue(dryRunRule, { tenant_id: tenant, rule_id: rule.id });
    const record = await tasks.result(id, { timeoutMs: DRY_RUN_TIMEOUT_MS });
    if (record.state === 'SUCCESS') return dryRunRule.output.parse(record.result);
    throw new Error(`The dry run ended as ${record.state}: ${record.error?.message ?? 'no error'}.`);
  });
  if (json) return printJson(result);
  if (result.fired === 0) return console.log(`“${name}” would not have acted within 28 days.`);
  printTable(
    ['day', flexible('campaign'), wrapped('actions')],
    result.days.flatMap(({ date, campaigns }) =>
      campaigns.map((campaign) => [date, campaign.name, campaign.done]),
    ),
  );
  if (result.truncated) console.log(`Of ${result.fired} times the first are shown.`);
}

export function pause(name: string, options: TenantOptions): Promise<void> {
  return changeStatus(name, 'paused', options);
}

export function resume(name: string, options: TenantOptions): Promise<void> {
  return changeStatus(name, 'active', options);
}

async function changeStatus(name: string, status: RuleStatus, options: TenantOptions): Promise<void> {
  await asRules(options, async ({ client, audit }) => {
    const before = (await listRules(client)).find((each) => each.name === name);
    if (!(await setRuleStatus(client, name, status))) unknownRule(name, options);
    await audit(`rule.${status}`, name, differenceOf({ status: before?.status }, { status }));
  });
  if (options.json) printJson({ name, status });
  else console.log(`“${name}” is ${status}.`);
}

function asRules<T>({ tenant }: TenantOptions, work: (session: TenantSession) => Promise<T>): Promise<T> {
  return asTenant({ tenant, subject: 'rule' }, work);
}

function printRules(rules: readonly Rule[]): void {
  printTable(
    ['name', 'status', optional('priority'), wrapped('actions'), 'evaluated', 'matched'],
    rules.map((rule) => [
      rule.name,
      rule.definition.dry_run ? `${rule.status}, dry run` : rule.status,
      rule.priority,
      rule.definition.actions.map(({ kind }) => kind),
      ago(rule.lastEvaluatedAt),
      rule.lastMatched,
    ]),
  );
}

function printRule(rule: Rule, executions: readonly RuleExecution[]): void {
  console.log(`${styled('bold', rule.name)}: ${rule.status}, priority ${rule.priority}\n`);
  console.log(JSON.stringify(rule.definition, undefined, 2));
  if (executions.length === 0) {
    console.log('\nNo campaign has matched yet.');
    return;
  }
  printTable(
    ['evaluated', flexible('campaign'), 'outcome', wrapped('values'), wrapped('actions')],
    executions.map(({ evaluatedAt, campaign, outcome, seen, done }) => [
      ago(evaluatedAt),
      campaign,
      outcome,
      seen.map(({ what, value }) => `${what}: ${textOf(value)}`),
      done,
    ]),
  );
}

function textOf(value: RuleExecution['seen'][number]['value']): string {
  if (typeof value === 'number') return String(Math.round(value * 100) / 100);
  return value === null ? 'unknown' : [value].flat().join(', ');
}

function unknownRule(name: string, { tenant }: TenantOptions): never {
  throw new Error(
    `Tenant ${tenant} has no rule "${name}". List its rules with: ${typed(`rules list --tenant ${tenant}`)}`,
  );
}
