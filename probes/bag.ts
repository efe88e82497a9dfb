// Arrays whose items know where they stand: in and out in constant time, without the hash of a Set.

/** The array alone writes `place`: its index in there, below 0 when it is in none. */
export type Placed = { place: number }

export function putIn<T extends Placed>(bag: T[], item: T): void {
  item.place = bag.length
  bag.push(item)
}

/** Takes `item` out; the last one moves to its place. Returns whether it was in. */
export function takeOut<T extends Placed>(bag: T[], item: T): boolean {
  if (item.place < 0) return false
  const last = bag.pop()
  if (last && last !== item) {
    bag[item.place] = last
    last.place = item.place
  }
  item.place = -1
  return true
}
