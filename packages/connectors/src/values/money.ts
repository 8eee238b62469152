/** Amounts as exact decimal strings. No floating point comes near them. */

/** ISO 4217 currencies whose minor unit is not a hundredth. */
const MINOR_DIGITS: Readonly<Record<string, number>> = {
  BIF: 0,
  CLP: 0,
  DJF: 0,
  GNF: 0,
  ISK: 0,
  JPY: 0,
  KMF: 0,
  KRW: 0,
  PYG: 0,
  RWF: 0,
  UGX: 0,
  VND: 0,
  VUV: 0,
  XAF: 0,
  XOF: 0,
  XPF: 0,
  BHD: 3,
  IQD: 3,
  JOD: 3,
  KWD: 3,
  LYD: 3,
  OMR: 3,
  TND: 3,
};
export const MICRO_DIGITS = 6;

const DECIMAL = /^-?\d+(\.\d+)?$/;

/** Currencies of ISO 4217 that money is paid in: without funds, metals and test codes. */
const CURRENCIES: ReadonlySet<string> = new Set(
  (
    'AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK ' +
    'DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD ' +
    'KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON ' +
    'RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF ' +
    'XCD XCG XOF XPF YER ZAR ZMW ZWG'
  ).split(' '),
);

export function isCurrency(code: string): boolean {
  return CURRENCIES.has(code);
}

/** Digits behind the point of a currency's smallest unit: 2 for USD, 0 for JPY, 3 for KWD. */
export function minorDigits(currency: string): number {
  return MINOR_DIGITS[currency] ?? 2;
}

/** `decimalFromUnits(1435n, 2)` is `"14.35"`. */
export function decimalFromUnits(units: bigint, digits: number): string {
  const sign = units < 0n ? '-' : '';
  const text = (units < 0n ? -units : units).toString().padStart(digits + 1, '0');
  const whole = text.slice(0, text.length - digits);
  const fraction = text.slice(text.length - digits);
  return fraction === '' ? `${sign}${whole}` : `${sign}${whole}.${fraction}`;
}

/** `unitsFromDecimal('14.35', 2)` is `1435n`. Throws when the decimal has more digits than that, or is none. */
export function unitsFromDecimal(decimal: string, digits: number): bigint {
  const [, sign = '', whole = '', fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(decimal) ?? [];
  const kept = fraction.replace(/0+$/, '');
  if (whole === '' || kept.length > digits)
    throw new RangeError(
      `"${decimal}" is not a decimal number with at most ${digits} digits after the point`,
    );
  const units = BigInt(whole + kept.padEnd(digits, '0'));
  return sign === '-' ? -units : units;
}

/** The exact sum; `null` of no decimal at all. */
export function sumOfDecimals(decimals: readonly string[]): string | null {
  if (decimals.length === 0) return null;
  const digits = Math.max(...decimals.map((decimal) => decimal.split('.')[1]?.length ?? 0));
  return decimalFromUnits(
    decimals.reduce((sum, decimal) => sum + unitsFromDecimal(decimal, digits), 0n),
    digits,
  );
}

/** Millionths of the major unit, as Google and Snapchat report money. */
export function decimalFromMicros(micros: bigint): string {
  return decimalFromUnits(micros, MICRO_DIGITS);
}

/** A decimal as a platform wrote it; `undefined` when it is none. */
export function parseDecimal(text: string): string | undefined {
  return DECIMAL.test(text) ? text : undefined;
}

/** A count that a platform reports as a floating-point number (fractional conversions), to a millionth. */
export function decimalFromCount(value: number): string {
  return value.toFixed(MICRO_DIGITS).replace(/\.?0+$/, '');
}
