export { AdLibrary } from './ad-library/ad-library.js';
export { createIntelHandlers, intelService, type IntelDependencies } from './handlers.js';
