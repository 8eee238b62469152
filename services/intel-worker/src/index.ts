export { createIntelHandlers, intelService, type IntelDependencies } from './handlers.js';
export { SafeFetch, SiteError } from './site/safe-fetch.js';
