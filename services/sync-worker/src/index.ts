export { createSyncHandlers, syncService } from './handlers.js';
export type { SyncDependencies } from './dependencies.js';
