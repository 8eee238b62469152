export { startDashboard, type DashboardContext } from './dashboard.js';
export { applyEvents, PositionMovedError, type EventBatch } from './history/apply-events.js';
export { Names } from './history/names.js';
export { createProjector, type ProjectorOptions } from './history/projector.js';
export { findProblems, type Facts } from './overview/problems.js';
export { parseQuery, QueryError } from './search/query.js';
export { searchEndedRuns, type SearchOptions } from './search/search-runs.js';
export { DASHBOARD_SETTINGS } from './settings.js';
