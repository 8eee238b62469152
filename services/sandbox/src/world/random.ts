/** Numbers that look random and are a pure function of their names, so that the same day always gives the same figures. */

/** An even number from [0, 1) for a key: FNV-1a, then the finaliser of MurmurHash3 to spread close keys. */
export function chance(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** Even within [low, high). */
export function between(key: string, low: number, high: number): number {
  return low + chance(key) * (high - low);
}

export function pick<Item>(key: string, items: readonly [Item, ...Item[]]): Item {
  return items[Math.floor(chance(key) * items.length)] ?? items[0];
}
