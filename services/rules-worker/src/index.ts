export { createRulesHandlers, rulesService } from './handlers.js';
export type { RulesDependencies } from './dependencies.js';
