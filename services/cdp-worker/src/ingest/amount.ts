/** Amounts of money in the forms that shops write them in. */

export interface Amount {
  number: number;
  /** How it was understood, where it is no plain number. */
  guess?: string;
}

/** A German shop may mean thousands by it. */
const THREE_DECIMALS = /^[+-]?[1-9]\d{0,2}\.\d{3}$/;
const PLAIN = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;
/** A sign of a currency or its letters, before or behind the number. */
const CURRENCY = /^(?:\p{Sc}|[A-Z]{1,3}\p{Sc}|[A-Z]{3}|[A-Z]{1,2}\.|kr\.?|zł|Kč|Ft|лв\.?)$/iu;
const SPACES = /[\s\u00A0\u202F\u2009'’]/gu;
/** The parts of an amount: signs, words around it, and its digits with separators. */
const AMOUNT =
  /^([-−+(]?)\s*([^\d\s().,−-][^\d\s−-]*)?\s*([-−]?)\s*(\d[\d.,\s\u00A0\u202F\u2009'’]*)\s*([^\d\s()]*)\s*(\)?)$/u;
const THOUSANDS = 3;

/**
 * `undefined` when it is none. Of two kinds of separators the last is the decimal one; one that comes more than once separates thousands, and so
 * does a comma before exactly three digits.
 */
export function readAmount(value: unknown): Amount | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? { number: value } : undefined;
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  if (PLAIN.test(text)) {
    const number = Number(text);
    if (!Number.isFinite(number)) return undefined;
    return THREE_DECIMALS.test(text) ? { number, guess: 'has three decimals as text' } : { number };
  }
  const match = AMOUNT.exec(text);
  if (match === null) return undefined;
  const [, sign = '', before = '', innerSign = '', digits = '', after = '', closing = ''] = match;
  const isBracketed = sign === '(';
  if (isBracketed !== (closing === ')')) return undefined;
  if ([before, after].some((word) => word !== '' && !CURRENCY.test(word))) return undefined;
  const number = readDigits(digits.trim());
  if (number === undefined) return undefined;
  const isNegative = isBracketed || /[-−]/u.test(sign + innerSign);
  return {
    number: isNegative ? -number : number,
    guess: 'was written as text with separators or a currency',
  };
}

function readDigits(text: string): number | undefined {
  const digits = text.replaceAll(SPACES, '');
  const spaced = text.split(SPACES).slice(1);
  // Spaces and apostrophes separate groups of digits.
  if (spaced.some((group) => group.replace(/[.,].*$/, '').length < 2)) return undefined;
  const comma = digits.lastIndexOf(',');
  const point = digits.lastIndexOf('.');
  const decimalAt = Math.max(comma, point);
  if (decimalAt === -1) return Number(digits);
  const decimal = digits.charAt(decimalAt);
  const isRepeated = digits.indexOf(decimal) !== decimalAt;
  const behind = digits.length - decimalAt - 1;
  const isOnlyKind = comma === -1 || point === -1;
  const separatesThousands = isOnlyKind && (isRepeated || (decimal === ',' && behind === THOUSANDS));
  const whole = separatesThousands ? digits : digits.slice(0, decimalAt);
  const groups = whole.split(/[.,]/);
  if (!separatesThousands && isRepeated) return undefined;
  if (!areGroups(groups)) return undefined;
  const fraction = separatesThousands ? '' : digits.slice(decimalAt + 1);
  return Number(`${groups.join('')}.${fraction || '0'}`);
}

/** `1`, `299` and `000`; India's lakhs have groups of two. */
function areGroups(groups: readonly string[]): boolean {
  const [first = '', ...rest] = groups;
  if (rest.length === 0) return /^\d+$/.test(first);
  const last = rest.at(-1) ?? '';
  return (
    /^\d{1,3}$/.test(first) &&
    last.length === THOUSANDS &&
    rest.every((group) => group.length === THOUSANDS || group.length === THOUSANDS - 1)
  );
}
