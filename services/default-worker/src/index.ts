export { createDefaultHandlers, defaultService, type DefaultDependencies } from './handlers.js';
export type { DeliveryOptions } from './subscriptions/delivery-options.js';
