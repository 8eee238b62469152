export { applyEvents, PositionMovedError, type EventBatch } from './history/apply-events.js';
export { Names } from './history/names.js';
export { createProjector, type ProjectorOptions } from './history/projector.js';
