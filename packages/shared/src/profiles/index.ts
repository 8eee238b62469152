/** Profiles of customers, as people look at them and set them right. */
export { findProfile, type ProfileName, type ProfileView } from './find-profile.js';
export { UnmergeError, unmergeProfile, type Unmerged } from './unmerge.js';
export { WRITER_LOCK } from './writer-lock.js';
