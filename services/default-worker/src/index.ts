export { createDefaultHandlers, defaultService, type DefaultDependencies } from './handlers.js';
