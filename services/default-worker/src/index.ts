export { appendAuditEvents } from './audit/audit-chain.js';
export { toCustomerEvents } from './webhooks/customer-events/plan-customer-event.js';
export { applyDeliveryState, type WhatsAppState } from './whatsapp/delivery-state.js';
export { createUpkeep } from './upkeep.js';
export { createDefaultHandlers, defaultService } from './handlers.js';
export type { DefaultDependencies } from './dependencies.js';
export type { DeliveryOptions } from './subscriptions/delivery-options.js';
