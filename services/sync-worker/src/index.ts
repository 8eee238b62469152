export { createSyncHandlers, SYNC_SETTINGS, type SyncDependencies } from './handlers.js';
