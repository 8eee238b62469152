export { FAULT_KINDS, type Fault } from './faults.js';
export { SANDBOX_CREDENTIALS } from './platforms/adapter.js';
export {
  endpointsAt,
  SANDBOX_PLATFORMS,
  SIMULATIONS,
  type SandboxEndpoints,
  type SandboxPlatform,
} from './platforms/platforms.js';
export type { Simulation } from './platforms/definition.js';
export { startSandbox, type Sandbox, type SandboxOptions } from './server.js';
export { sandboxSettingsSchema } from './settings.js';
export type { AccountTruth } from './truth.js';
export { WORDPRESS_USER } from './wordpress.js';
