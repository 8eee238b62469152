/** Meta's currencies: https://developers.facebook.com/docs/marketing-api/currencies (its "offset" is 10 to the power of these digits). */
import { MoneyUnits } from '../money-units.js';

/** Budgets are counted in whole units of these, whatever ISO 4217 says, and in hundredths of all others. */
const WHOLE_UNITS = new Set(['CLP', 'COP', 'CRC', 'HUF', 'IDR', 'ISK', 'JPY', 'KRW', 'PYG', 'TWD', 'VND']);

export const metaMoney = new MoneyUnits('meta', (currency) => (WHOLE_UNITS.has(currency) ? 0 : 2));
