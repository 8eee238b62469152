export { RIGHTS } from './access/rights.js';
export { startDashboard, type DashboardContext } from './dashboard.js';
export { applyEvents, PositionMovedError, type EventBatch } from './history/apply-events.js';
export {
  Names,
  parseQuery,
  QueryError,
  searchEndedRuns,
  type SearchOptions,
} from '@stratum/shared/task-history';
export { createProjector, type ProjectorOptions } from './history/projector.js';
export { DASHBOARD_SETTINGS } from './settings.js';
export { readHistogram, type RunHistogram } from './tasks/histogram.js';
