export { createRulesHandlers, rulesService, type RulesDependencies } from './handlers.js';
