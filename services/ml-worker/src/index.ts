export { mlService } from './handlers.js';
export { forecastSeries, type SeriesForecast } from './forecast/forecast-series.js';
export { helpfulCalendar } from './calendar/calendar.js';
export { loadModels } from './forecast/mstl.js';
export { controlled, suspected, testsOfLastDay } from './predictions/anomalies.js';
