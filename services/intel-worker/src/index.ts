export { AdLibrary } from './ad-library/ad-library.js';
export { createIntelHandlers, intelService } from './handlers.js';
export type { IntelDependencies } from './dependencies.js';
