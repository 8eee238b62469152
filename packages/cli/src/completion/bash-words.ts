/** Bash cuts words at `=` and `:` before it hands them over, and inserts only the part after the last cut. */

/** The words as they were typed. */
export function joinBashWords(words: readonly string[]): string[] {
  const joined: string[] = [];
  let glue = false;
  for (const word of words) {
    const isCut = word === '=' || word === ':';
    // A cut belongs to the word in front of it, and takes the word behind it along.
    if ((glue || (isCut && joined.length > 0)) && joined.length > 0) joined.push(`${joined.pop()}${word}`);
    else joined.push(word);
    glue = isCut;
  }
  return joined;
}

/** Length of the part of the typed word before bash's last cut. */
export function cutLength(current: string): number {
  return Math.max(current.lastIndexOf('='), current.lastIndexOf(':')) + 1;
}
