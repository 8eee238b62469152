export {
  WhatsAppAwayError,
  WhatsAppClient,
  type OutgoingMessage,
  type SendResult,
} from './whatsapp-client.js';
