import { minorDigits } from '../../values/money.js';
import { MoneyUnits } from '../money-units.js';

/** Budgets are decimals in major units: https://business-api.tiktok.com/portal/docs?id=1739318962329602 */
export const tiktokMoney = new MoneyUnits('tiktok', minorDigits);
