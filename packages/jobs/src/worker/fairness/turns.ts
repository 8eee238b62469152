/** Whose turn it is. */

/**
 * Stride scheduling (C. Waldspurger and W. Weihl, 1995): each has a pass that grows by the inverse of its weight with every turn, and the lowest
 * pass is next. So turns are in proportion to weights, and who joins late has missed nothing and is owed nothing.
 */
export class Turns<Key> {
  private passes = new Map<Key, number>();
  private now = 0;

  /**
   * The next ones, in their order.
   * @param weights of those who want turns, all above 0; who is missing has left
   */
  next(weights: ReadonlyMap<Key, number>, count: number): Key[] {
    const standing = [...weights].map(([key, weight]) => ({
      key,
      weight,
      pass: Math.max(this.passes.get(key) ?? 0, this.now),
    }));
    // No more than these can be chosen: who has had a turn only moves back.
    const front = standing.toSorted((a, b) => a.pass - b.pass).slice(0, count);
    const chosen: Key[] = [];
    while (chosen.length < count && front.length > 0) {
      const next = front.reduce((lowest, each) => (each.pass < lowest.pass ? each : lowest));
      this.now = next.pass;
      next.pass += 1 / next.weight;
      chosen.push(next.key);
    }
    this.passes = new Map(standing.map(({ key, pass }) => [key, pass]));
    return chosen;
  }
}
