import { InvalidArgumentError } from 'commander';

/** Of an option `--tenant <id>`. */
export function parseTenant(text: string): number {
  const tenant = Number(text);
  if (Number.isSafeInteger(tenant) && tenant > 0) return tenant;
  throw new InvalidArgumentError('Give the number of a tenant.');
}
