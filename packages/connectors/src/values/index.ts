/** The values that connectors exchange: days and exact amounts. */
export { addDays, localDate, type DateWindow } from './days.js';
export { decimalFromUnits, isCurrency, minorDigits, unitsFromDecimal } from './money.js';
