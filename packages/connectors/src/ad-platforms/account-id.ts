/** The id when it is digits, in that number; else `undefined`. */
export function accountDigits(id: string, length?: number): string | undefined {
  return /^\d{1,32}$/.test(id) && (length === undefined || id.length === length) ? id : undefined;
}
