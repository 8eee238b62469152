export { FAULT_KINDS, type Fault } from './faults.js';
export { SANDBOX_CREDENTIALS } from './platforms/adapter.js';
export {
  endpointsAt,
  startSandbox,
  type Sandbox,
  type SandboxEndpoints,
  type SandboxOptions,
} from './server.js';
export { sandboxSettingsSchema } from './settings.js';
export type { AccountTruth } from './truth.js';
export { SANDBOX_PLATFORMS, type SandboxPlatform } from './world/model.js';
export { WORDPRESS_USER } from './wordpress.js';
