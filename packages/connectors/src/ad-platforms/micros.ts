/** Amounts in millionths of the major unit, of whatever currency: the form of Google and Snapchat. */
import { MICRO_DIGITS } from '../values/money.js';
import { MoneyUnits } from './money-units.js';

export const microUnits = (platform: string): MoneyUnits => new MoneyUnits(platform, () => MICRO_DIGITS);
