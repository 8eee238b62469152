/** The sandbox's settings, read from environment variables once at start. */
import { z } from 'zod';

export const sandboxSettingsSchema = z.object({
  /** Address that the sandbox listens on. */
  SANDBOX_HOST: z.string().default('127.0.0.1'),
  /** Port that it listens on; 0 is any free one. */
  SANDBOX_PORT: z.coerce.number().int().min(0).max(65_535).default(8100),
  /** Another seed makes another world. */
  SANDBOX_SEED: z.coerce.number().int().default(1),
  /** Campaigns of each ad account. */
  SANDBOX_CAMPAIGNS: z.coerce.number().int().positive().default(12),
});

/** An empty variable counts as not set. */
export function readSandboxSettings(
  environment: NodeJS.ProcessEnv,
): { settings: z.output<typeof sandboxSettingsSchema> } | { problems: string[] } {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const read = sandboxSettingsSchema.safeParse(given);
  if (read.success) return { settings: read.data };
  return { problems: read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) };
}
