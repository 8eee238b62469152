import {
  listRules,
  ruleExecutions,
  RULE_STATUSES,
  saveRule,
  setRuleStatus,
  type Rule,
  type RuleExecution,
  type RuleStatus,
} from '@stratum/shared/rules';
import { Command, Option } from 'commander';
import { parseCount } from '../arguments.js';
import { readJson } from '../input-file.js';
import { printJson, printTable, styled } from '../output.js';
import { asTenant, tenantCommand, type TenantOptions, type TenantSession } from '../tenant-session.js';

interface SaveOptions extends TenantOptions {
  status?: RuleStatus;
  priority?: number;
}

export function rulesCommand(): Command {
  return new Command('rules')
    .description('Automation rules of campaigns: list, show what they did, save, pause, resume.')
    .addCommand(
      tenantCommand(
        'rules',
        'list',
        'List the rules of a tenant, the one that decides first on top.',
        '--tenant 1',
      ).action(async (options: TenantOptions) => {
        const rules = await asRules(options, ({ client }) => listRules(client));
        if (options.json) printJson(rules);
        else if (rules.length === 0) console.log('There are no rules. Make one with `stratum rules save`.');
        else printRules(rules);
      }),
    )
    .addCommand(
      tenantCommand(
        'rules',
        'show',
        'Show a rule and its latest matches: what it saw, and what was done.',
        '"Pause what loses money" --tenant 1',
      )
        .argument('<name>', 'name of the rule')
        .option('--last <count>', 'so many matches', parseCount, 20)
        .action(async (name: string, options: TenantOptions & { last: number }) => {
          const { rule, executions } = await asRules(options, async ({ client }) => {
            const found = (await listRules(client)).find((each) => each.name === name) ?? unknownRule(name);
            return { rule: found, executions: await ruleExecutions(client, found.id, options.last) };
          });
          if (options.json) printJson({ ...rule, executions });
          else printRule(rule, executions);
        }),
    )
    .addCommand(
      tenantCommand(
        'rules',
        'save',
        'Make a rule, or replace the definition of the one of that name.',
        '"Pause what loses money" rule.json --tenant 1 --status active',
      )
        .argument('<name>', 'name of the rule')
        .argument('[file]', 'its definition as JSON (docs/operate/rules.md); - is standard input', '-')
        .addOption(new Option('--status <status>', 'default: draft, or as it is').choices([...RULE_STATUSES]))
        .option(
          '--priority <number>',
          'of two that disagree the higher one decides; default: 0, or as it is',
          Number,
        )
        .action(async (name: string, file: string, options: SaveOptions) => {
          const { status, priority } = options;
          if (priority !== undefined && !Number.isInteger(priority))
            throw new Error('--priority takes a whole number.');
          const definition = await readJson(file, 'The definition');
          const saved = await asRules(options, async ({ client, tell }) => {
            const rule = await saveRule(client, { name, definition, status, priority });
            await tell('rule.saved', rule.id, { name, definition });
            return rule;
          });
          if (options.json) printJson(saved);
          else
            console.log(
              saved.status === 'active'
                ? `Saved “${name}”; it is evaluated every 15 minutes.`
                : `Saved “${name}” as ${saved.status}: \`stratum rules resume\` makes it active.`,
            );
        }),
    )
    .addCommand(statusCommand('pause', 'paused', 'Evaluate a rule no more until it is resumed.'))
    .addCommand(statusCommand('resume', 'active', 'Evaluate a rule from now on.'));
}

function statusCommand(verb: string, status: RuleStatus, description: string): Command {
  return tenantCommand('rules', verb, description, '"Pause what loses money" --tenant 1')
    .argument('<name>', 'name of the rule')
    .action(async (name: string, options: TenantOptions) => {
      await asRules(options, async ({ client, tell }) => {
        if (!(await setRuleStatus(client, name, status))) unknownRule(name);
        await tell(`rule.${status}`, name);
      });
      if (options.json) printJson({ name, status });
      else console.log(`“${name}” is ${status}.`);
    });
}

function asRules<T>({ tenant }: TenantOptions, work: (session: TenantSession) => Promise<T>): Promise<T> {
  return asTenant({ tenant, subject: 'rule' }, work);
}

function printRules(rules: readonly Rule[]): void {
  printTable(
    ['name', 'status', 'priority', 'actions', 'last look', 'matched'],
    rules.map((rule) => [
      rule.name,
      rule.definition.dry_run ? `${rule.status}, dry run` : rule.status,
      rule.priority,
      rule.definition.actions.map(({ kind }) => kind).join('\n'),
      rule.lastEvaluatedAt?.toISOString() ?? null,
      rule.lastMatched,
    ]),
  );
}

function printRule(rule: Rule, executions: readonly RuleExecution[]): void {
  console.log(`${styled('bold', rule.name)}: ${rule.status}, priority ${rule.priority}\n`);
  console.log(JSON.stringify(rule.definition, undefined, 2));
  if (executions.length === 0) {
    console.log('\nIt has not held for any campaign yet.');
    return;
  }
  printTable(
    ['at', 'campaign', 'outcome', 'saw', 'done'],
    executions.map(({ evaluatedAt, campaign, outcome, seen, done }) => [
      evaluatedAt.toISOString(),
      campaign,
      outcome,
      seen.map(({ what, value }) => `${what}: ${textOf(value)}`).join('\n'),
      done.join('\n'),
    ]),
  );
}

function textOf(value: RuleExecution['seen'][number]['value']): string {
  if (typeof value === 'number') return String(Math.round(value * 100) / 100);
  return value === null ? 'unknown' : [value].flat().join(', ');
}

function unknownRule(name: string): never {
  throw new Error(`The tenant has no rule "${name}". See \`stratum rules list\`.`);
}
