/** Operations over all tasks that a search finds: cancelled, replayed or discarded at a rate, after a look at what that would be. */
export { createOperationDriver } from './drive.js';
export { VERBS, type Verb } from './find-items.js';
export {
  DEFAULT_RATE,
  MAX_QUERY_LENGTH,
  MAX_RATE,
  Operations,
  TYPED_ABOVE,
  type OperationAction,
} from './operations.js';
export {
  operationDetailSchema,
  operationSchema,
  type Operation,
  type OperationDetail,
  type OperationItem,
} from './store.js';
