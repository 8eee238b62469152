export { createSyncHandlers, syncService, type SyncDependencies } from './handlers.js';
