/** @throws Error with the advice when the id is not of digits, or not of that many */
export function accountDigits(id: string, advice: string, length?: number): string {
  if (/^\d{1,32}$/.test(id) && (length === undefined || id.length === length)) return id;
  throw new Error(advice);
}
