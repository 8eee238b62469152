export {
  changedFields,
  checkedPayloadSchema,
  checkPayload,
  editableLetter,
  editableLetterSchema,
  editedPayload,
  type CheckedPayload,
  type EditableLetter,
} from './edit-payload.js';
export type { DifferenceLine } from './line-difference.js';
