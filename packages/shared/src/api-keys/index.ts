/** Keys of the HTTP API. */
export {
  ApiKeyError,
  authenticateApiKey,
  createApiKey,
  excessOver,
  findApiKey,
  listApiKeys,
  revokeApiKey,
  rotateApiKey,
  ROTATION_GRACE_MS,
  type ApiKey,
  type Principal,
} from './api-keys.js';
export { ALL_SCOPES, isScope, SCOPES, TENANT_SCOPES, type Scope } from './scopes.js';
