export { verifyAudit, type ChainReport } from './verify.js';
