export { createDefaultHandlers, defaultService } from './handlers.js';
export type { DefaultDependencies } from './dependencies.js';
export type { DeliveryOptions } from './subscriptions/delivery-options.js';
