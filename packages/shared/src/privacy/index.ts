/** People who ask: what is kept of them, and its erasure. */
export { erasePerson, type ErasedPerson, type EraseDependencies, type EraseOptions } from './erase-person.js';
export { exportPerson, type ExportedPerson } from './export-person.js';
export { findPerson, phoneOf, type Identified, type Person } from './find-person.js';
export { PERSONAL_DATA, type PersonalData } from './inventory.js';
export { mentionsOf, type Mentioned } from './mentions.js';
export {
  closeRequest,
  listRequests,
  namesOfRequest,
  recordRequest,
  type NewRequest,
  type PrivacyRequest,
  type RequestKind,
} from './requests.js';
