export { startApi, type ApiContext } from './api.js';
export { API_SETTINGS } from './settings.js';
