import { microUnits } from '../micros.js';

/** https://developers.google.com/google-ads/api/docs/concepts/api-structure#micro-amounts */
export const googleMoney = microUnits('google');
