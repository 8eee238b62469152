import { eastAsianWidth } from 'get-east-asian-width';

const segmenter = new Intl.Segmenter();

/** Columns that a text takes on a terminal. The text has no control characters. */
export function stringWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmenter.segment(text))
    width +=
      segment.length > 1 && /\p{Extended_Pictographic}/u.test(segment)
        ? 2
        : eastAsianWidth(segment.codePointAt(0) ?? 0);
  return width;
}
