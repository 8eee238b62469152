/** The order in which a fetcher visits its lanes. */

/**
 * Smooth weighted round-robin: over any stretch, each lane gets turns in proportion to its weight, spread evenly, and
 * none starves. (The method of nginx's upstream balancing.)
 */
export class LaneRotation<Item extends { readonly weight: number }> {
  private readonly credit = new Map<Item, number>();

  /** The next item among the candidates, or `undefined` without candidates. */
  next(candidates: readonly Item[]): Item | undefined {
    let chosen: Item | undefined;
    let best = -Infinity;
    let total = 0;
    for (const item of candidates) {
      const credit = (this.credit.get(item) ?? 0) + item.weight;
      this.credit.set(item, credit);
      total += item.weight;
      if (credit > best) {
        best = credit;
        chosen = item;
      }
    }
    if (chosen !== undefined) this.credit.set(chosen, best - total);
    return chosen;
  }
}
