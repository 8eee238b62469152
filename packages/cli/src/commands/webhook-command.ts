import type { Command } from 'commander';
import { tenantCommand } from '../tenant-session.js';

/** What is changed, for the audit trail. */
export const subject = 'webhook';

/** A command of `stratum webhooks`. */
export function owned(name: string, description: string, example: string): Command {
  return tenantCommand('webhooks', name, description, example);
}

export function unknownEndpoint(id: string): Error {
  return new Error(`There is no webhook endpoint "${id}" there. See \`stratum webhooks list\`.`);
}
