/** Two texts compared line by line, for people. */
import { z } from 'zod';

export const differenceLineSchema = z.object({
  change: z.enum(['same', 'removed', 'added']),
  text: z.string(),
});
export type DifferenceLine = z.output<typeof differenceLineSchema>;

/** Cells of the table that finds what both have. Beyond it, the part that differs counts as replaced as a whole. */
const MAX_CELLS = 4_000_000;

/** The fewest changes that make one text the other; of those, the removed line before the added one. */
export function lineDifference(before: string, after: string): DifferenceLine[] {
  const from = before === '' ? [] : before.split('\n');
  const to = after === '' ? [] : after.split('\n');
  let head = 0;
  while (head < Math.min(from.length, to.length) && from[head] === to[head]) head++;
  let tail = 0;
  const most = Math.min(from.length, to.length) - head;
  while (tail < most && from[from.length - 1 - tail] === to[to.length - 1 - tail]) tail++;
  return [
    ...lines('same', from.slice(0, head)),
    ...middle(from.slice(head, from.length - tail), to.slice(head, to.length - tail)),
    ...lines('same', from.slice(from.length - tail)),
  ];
}

function lines(change: DifferenceLine['change'], texts: readonly string[]): DifferenceLine[] {
  return texts.map((text) => ({ change, text }));
}

/** By the longest common subsequence. */
function middle(from: readonly string[], to: readonly string[]): DifferenceLine[] {
  if (from.length * to.length > MAX_CELLS) return [...lines('removed', from), ...lines('added', to)];
  const width = to.length + 1;
  // How many lines the rests of both have in common, by their beginnings.
  const common = new Uint32Array((from.length + 1) * width);
  const at = (row: number, column: number): number => common[row * width + column] ?? 0;
  for (let row = from.length - 1; row >= 0; row--)
    for (let column = to.length - 1; column >= 0; column--)
      common[row * width + column] =
        from[row] === to[column]
          ? at(row + 1, column + 1) + 1
          : Math.max(at(row + 1, column), at(row, column + 1));
  const result: DifferenceLine[] = [];
  let row = 0;
  let column = 0;
  while (row < from.length && column < to.length) {
    const [left = '', right = ''] = [from[row], to[column]];
    if (left === right) {
      result.push({ change: 'same', text: left });
      row++;
      column++;
    } else if (at(row + 1, column) >= at(row, column + 1)) {
      result.push({ change: 'removed', text: left });
      row++;
    } else {
      result.push({ change: 'added', text: right });
      column++;
    }
  }
  return [...result, ...lines('removed', from.slice(row)), ...lines('added', to.slice(column))];
}
