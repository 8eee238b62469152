import { microUnits } from '../micros.js';

/** https://developers.snap.com/api/marketing-api/Ads-API/api-patterns#units */
export const snapchatMoney = microUnits('snapchat');
