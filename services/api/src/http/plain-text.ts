/** Texts that people type: names, descriptions. */
import { z } from 'zod';

/** Without spaces around. The database cannot hold a NUL character. @param max characters */
export function plainText(max: number): z.ZodString {
  return z
    .string()
    .trim()
    .max(max)
    .refine((text) => !text.includes('\0'), 'holds a NUL character');
}
