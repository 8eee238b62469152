import { randomBytes } from 'node:crypto';

/** 32 letters: each takes five bits of a random byte, so none is likelier than another. */
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz012345';

/** An id that nobody guesses: five random bits for each character of `[a-z0-5]`. */
export function randomId(length: number): string {
  return Array.from(randomBytes(length), (byte) => ALPHABET.charAt(byte % ALPHABET.length)).join('');
}
