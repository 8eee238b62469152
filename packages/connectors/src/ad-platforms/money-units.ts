/** The units in which a platform's API writes amounts. Each platform has its own: ISO 4217 does not say. */
import { decimalFromUnits, isCurrency, unitsFromDecimal } from '../values/money.js';
import { PlatformError } from './errors.js';

/** Digits behind the point of the unit that the API counts budgets in; a currency that the platform does not name has none. */
export type UnitDigits = (currency: string) => number;

export class MoneyUnits {
  constructor(
    private readonly platform: string,
    private readonly unitDigits: UnitDigits,
  ) {}

  /** @throws PlatformError `permanent` for a currency that nobody knows the unit of: a guess could be a hundredfold wrong */
  digits(currency: string): number {
    if (isCurrency(currency)) return this.unitDigits(currency);
    throw new PlatformError(
      this.platform,
      'permanent',
      `the unit of the currency ${JSON.stringify(currency)} is not known: amounts in it are neither read nor written`,
      { platformCode: 'unknown_currency' },
    );
  }

  read(units: bigint, currency: string): string {
    return decimalFromUnits(units, this.digits(currency));
  }

  /** @throws PlatformError `permanent` when the amount is no whole number of units */
  write(decimal: string, currency: string): bigint {
    const digits = this.digits(currency);
    try {
      return unitsFromDecimal(decimal, digits);
    } catch (cause) {
      throw new PlatformError(
        this.platform,
        'permanent',
        `${decimal} ${currency} is not a whole number of the units that the platform counts in (${digits} digits after the point)`,
        { platformCode: 'invalid_amount', cause },
      );
    }
  }
}
