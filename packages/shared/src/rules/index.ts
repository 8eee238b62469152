/** The language of automation rules. */
export {
  RULE_WINDOWS,
  ruleDefinitionSchema,
  type FactCondition,
  type MetricCondition,
  type RuleAction,
  type RuleCondition,
  type RuleDefinition,
  type RuleDefinitionInput,
  type RuleMetric,
  type RuleTree,
  type RuleWindow,
} from './rule.js';
export {
  listRules,
  ruleExecutions,
  RULE_STATUSES,
  saveRule,
  setRuleStatus,
  type Rule,
  type RuleExecution,
  type RuleStatus,
} from './rules.js';
