/** Texts that people type: names, descriptions. */
import { nameProblem } from '@stratum/jobs/internal';
import { z } from 'zod';

/** Without spaces around, and without control characters. @param max characters */
export function plainText(max: number): z.ZodString {
  return z
    .string()
    .trim()
    .max(max)
    .superRefine((text, context) => {
      const problem = nameProblem(text);
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
    });
}
