/** Names like one that is unknown. */
import { distance } from 'fastest-levenshtein';

const MOST = 3;

/** The nearest names, the nearest first; none when all are far off. */
export function nearNames(word: string, names: readonly string[]): string[] {
  const lower = word.toLowerCase();
  return names
    .map((name) => ({ name, far: farness(lower, name.toLowerCase()) }))
    .filter(({ far }) => far <= 0.4)
    .toSorted((a, b) => a.far - b.far)
    .slice(0, MOST)
    .map(({ name }) => name);
}

/** 0 for the same word, 1 for one that shares nothing. The start of a name, a part of it, or its letters in another order are near. */
function farness(word: string, name: string): number {
  if (word.length >= 3 && name.includes(word)) return name.startsWith(word) ? 0.1 : 0.2;
  if (word.length >= 3 && letters(word) === letters(name)) return 0.3;
  return distance(word, name) / Math.max(word.length, name.length);
}

function letters(word: string): string {
  return Array.from(word).toSorted().join('');
}

/** `Did you mean "a" or "b"?`, or `otherwise` when nothing is near. */
export function didYouMean(word: string, names: readonly string[], otherwise: string): string {
  const near = nearNames(word, names).map((name) => `"${name}"`);
  return near.length === 0 ? otherwise : `Did you mean ${near.join(' or ')}?`;
}
