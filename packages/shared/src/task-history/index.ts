/** The history of tasks: its rows, and searches in it and in the queues. The dashboard's projector writes it. */
export { Names } from './names.js';
export {
  fromEndedRow,
  fromOpenRow,
  keyRow,
  STATE_CODES,
  stateOfCode,
  stateSchema,
  toEndedRow,
  toOpenRow,
  waitMs,
  type Dictionary,
} from './rows.js';
export { identityOf, isEnd, mergeRuns, runOf, textOf, type Moment, type Run, type RunState } from './run.js';
export { parseQuery, QUERY_KEYS, QueryError, type TaskQuery } from './query.js';
export { parsedQuery } from './query-problem.js';
export { runViewSchema, type RunView } from './run-view.js';
export {
  endedFilter,
  searchEndedRuns,
  searchOpenRuns,
  type Place,
  type RunFilter,
  type Scope,
  type SearchOptions,
} from './search-runs.js';
export { listWaiting, waitingListSchema, type WaitingList, type WaitingTask } from './waiting.js';
export { rowsWithin, walkBack } from './walk-back.js';
