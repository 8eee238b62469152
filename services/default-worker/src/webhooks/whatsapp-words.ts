/** Words by which people say that they want no messages, or want them again. */
import { z } from 'zod';
import type { Consent } from './whatsapp-contact.js';

const OPT_OUT = [
  'stop',
  'stop all',
  'stop promotions',
  'stopall',
  'unsubscribe',
  'opt out',
  'optout',
  'cancel',
  'end',
  'quit',
  'stopp',
  'abmelden',
  'abbestellen',
  'stoppen',
  'afmelden',
  'arret',
  'arreter',
  'desabonner',
  'baja',
  'alto',
  'detener',
  'pare',
  'parar',
  'sair',
  'cancelar',
  'annulla',
  'disiscrivimi',
  'стоп',
  'отписаться',
  'dur',
  'iptal',
  'berhenti',
  '停止',
  '退订',
  '退訂',
  '取消订阅',
  '配信停止',
  '수신거부',
  'إيقاف',
  'ايقاف',
  'توقف',
  'إلغاء',
  'الغاء',
];
const OPT_IN = ['start', 'unstop', 'subscribe', 'opt in', 'optin'];

const settingsSchema = z.looseObject({
  opt_out_words: z.array(z.string()).optional(),
  opt_in_words: z.array(z.string()).optional(),
});

/** `undefined` for a message that says something else: a sentence that holds such a word is no order. */
export function consentOf(text: string, settings: Readonly<Record<string, unknown>>): Consent | undefined {
  const { opt_out_words: optOut = OPT_OUT, opt_in_words: optIn = OPT_IN } = settingsSchema.parse(settings);
  const said = normalised(text);
  if (optOut.some((word) => normalised(word) === said)) return 'opted_out';
  return optIn.some((word) => normalised(word) === said) ? 'opted_in' : undefined;
}

/** Without case, accents of Latin letters, and punctuation. */
function normalised(text: string): string {
  return text
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[^\p{L}\p{N}\s]/gu, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .toLowerCase();
}
