/** Reading what jobs computed: pages, cursors, CSV. */
export { csvLines } from './csv.js';
export { REPORTS } from './reports.js';
export {
  filtersOf,
  positionOf,
  positionSchema,
  readReport,
  viewOf,
  type Report,
  type Row,
} from './report.js';
export { reportAsCsv } from './stream.js';
