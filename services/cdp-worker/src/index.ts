export { cdpService, createCdpHandlers, type CdpDependencies } from './handlers.js';
