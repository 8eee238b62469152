export { SCHEDULE } from './schedule.js';
