/** The languages of segments and funnels. */
export {
  dependenciesOf,
  OPERATORS,
  parseField,
  segmentTreeSchema,
  type EventFilter,
  type FieldKind,
  type Operator,
  type SegmentCondition,
  type SegmentTree,
} from './segment-tree.js';
export { timeOf } from './time-text.js';
export { saveSegment, SegmentCycleError } from './save-segment.js';
export { listSegments, type Segment } from './segments.js';
export { funnelSchema, type Funnel, type FunnelStep } from './funnel.js';
export {
  latestFunnelReport,
  listFunnels,
  saveFunnel,
  type FunnelReport,
  type StepReport,
  type StoredFunnel,
} from './funnels.js';
