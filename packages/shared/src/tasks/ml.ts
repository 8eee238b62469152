/** Contracts of the ml queue. */
import { defineTask, type TaskContract } from '@stratum/jobs';
import { z } from 'zod';
import { fanOutJob } from './scheduled-job.js';

const id = z.int().positive();
const work = { retry: { backoff: { kind: 'exponential', initialMs: 10_000, maxMs: 300_000 } } } as const;

export const generateForecast = defineTask({
  name: 'generate_forecast',
  keepPayload: true,
  queue: 'ml',
  description: 'Forecasts 30 days of spend, revenue and conversions for each campaign and for the total.',
  input: z.object({ tenant_id: id, campaign_ids: z.array(id).min(1).max(10_000).optional() }),
  output: z.object({
    tenant_id: z.int(),
    made_on: z.iso.date(),
    series: z.int(),
    /** How many series each model won. */
    models: z.record(z.string(), z.int()),
    /** Mean over the series that were long enough to be tested. */
    mase: z.number().nullable(),
    naive_mase: z.number().nullable(),
    /** Series that follow the calendar, by what of it. Absent from a worker of an older version. */
    calendars: z.record(z.string(), z.int()).optional(),
  }),
  ...work,
});

export const generateDailyForecasts = fanOutJob({
  name: 'generate_daily_forecasts',
  queue: 'ml',
  cron: '0 6 * * *',
  description: 'Enqueues the forecast of each tenant.',
});

export const runPredictions = defineTask({
  name: 'run_predictions',
  keepPayload: true,
  queue: 'ml',
  description:
    'Predicts the spend of each active campaign at the end of the month and the effect of other budgets, and detects anomalies.',
  input: z.object({ tenant_id: id }),
  output: z.object({ tenant_id: z.int(), predicted: z.int(), anomalies: z.int(), shifted: z.int() }),
  ...work,
});

export const runAllPredictions = fanOutJob({
  name: 'run_all_predictions',
  queue: 'ml',
  cron: '*/30 * * * *',
  description: 'Enqueues the predictions of each tenant.',
});

export const ML_TASKS: readonly TaskContract[] = [
  generateForecast,
  generateDailyForecasts,
  runPredictions,
  runAllPredictions,
];
