export { createDefaultHandlers, defaultService, type DefaultDependencies } from './handlers.js';
export { WhatsAppClient } from './whatsapp/whatsapp-client.js';
