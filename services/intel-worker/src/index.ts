export { createIntelHandlers, intelService, type IntelDependencies } from './handlers.js';
