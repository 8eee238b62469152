/** All kinds, in the order of their routes. */
import { cmsPosts, cmsSites } from './cms.js';
import { competitors } from './competitors.js';
import { funnels, rules, segments } from './definitions.js';
import type { RecordKind } from './record.js';
import { sharedCosts } from './shared-costs.js';
import { whatsappAccounts, whatsappContacts, whatsappMessages, whatsappTemplates } from './whatsapp.js';

export const RECORD_KINDS: readonly RecordKind[] = [
  competitors,
  cmsSites,
  cmsPosts,
  whatsappAccounts,
  whatsappContacts,
  whatsappTemplates,
  whatsappMessages,
  rules,
  segments,
  funnels,
  sharedCosts,
];
