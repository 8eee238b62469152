/** A funnel: steps in order, and the time that a profile may take for them. */
import { z } from 'zod';
import { OPERATORS, valueProblem } from './segment-tree.js';

const filter = z
  .strictObject({
    property: z.string().min(1).max(200),
    operator: z.enum(OPERATORS),
    value: z
      .union([
        z.string(),
        z.number(),
        z.boolean(),
        z.array(z.union([z.string(), z.number(), z.boolean()])).min(1),
      ])
      .optional(),
  })
  .check((context) => {
    const { operator, value } = context.value;
    const message = valueProblem(operator, value, { numeric: false });
    if (message !== undefined)
      context.issues.push({ code: 'custom', message, path: ['value'], input: value });
  });

const stepSchema = z.strictObject({
  event: z.string().min(1).max(200),
  where: z.array(filter).max(20).default([]),
});
export type FunnelStep = z.output<typeof stepSchema>;

const DAY_SECONDS = 86_400;

export const funnelSchema = z.strictObject({
  steps: z.array(stepSchema).min(2).max(10),
  /** From the first step to the last. Default: 7 days. */
  window_seconds: z
    .int()
    .positive()
    .max(365 * DAY_SECONDS)
    .default(7 * DAY_SECONDS),
  /** How far back first steps are looked for. Default: 30 days. */
  lookback_days: z.int().positive().max(730).default(30),
  /** A property of the first step's event that splits the results. */
  breakdown: z.string().min(1).max(200).optional(),
});
export type Funnel = z.output<typeof funnelSchema>;
