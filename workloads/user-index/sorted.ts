// Sorted lists of numbers, each number once.

/** A list so many times longer than the other is searched, not walked. */
const SEARCH_RATIO = 16;

function lowerBound(list: Uint32Array, value: number, from: number): number {
  let low = from;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function contains(list: Uint32Array, value: number): boolean {
  return list[lowerBound(list, value, 0)] === value;
}

/** The first number of both lists that is wanted; -1 when there is none. */
export function firstCommon(a: Uint32Array, b: Uint32Array, isWanted: (value: number) => boolean): number {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  const isUneven = long.length > short.length * SEARCH_RATIO;
  for (let i = 0, j = 0; i < short.length && j < long.length; i++) {
    const value = short[i] as number;
    if (isUneven) j = lowerBound(long, value, j);
    else while (j < long.length && (long[j] as number) < value) j++;
    if (long[j] === value && isWanted(value)) return value;
  }
  return -1;
}

export function intersect(a: Uint32Array, b: Uint32Array): Uint32Array {
  const common: number[] = [];
  firstCommon(a, b, (value) => {
    common.push(value);
    return false;
  });
  return Uint32Array.from(common);
}

/** All numbers of the two lists, without those of the first that are also in `left`. */
export function merge(a: Uint32Array, b: Uint32Array, left: Uint32Array): Uint32Array {
  const merged = new Uint32Array(a.length + b.length);
  let length = 0;
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    const isFromB = i === a.length || (j < b.length && (b[j] as number) <= (a[i] as number));
    const value = (isFromB ? b[j] : a[i]) as number;
    if (a[i] === value) i++;
    if (isFromB) j++;
    if (isFromB || !contains(left, value)) merged[length++] = value;
  }
  return merged.subarray(0, length);
}

export function sortedSet(values: readonly number[]): Uint32Array {
  const sorted = Uint32Array.from(values).sort();
  return sorted.subarray(0, removeRepeats(sorted)).slice();
}

/** Moves each number's first occurrence to the front. @returns how many there are */
export function removeRepeats(sorted: Uint32Array): number {
  let kept = 0;
  for (let i = 0; i < sorted.length; i++)
    if (i === 0 || sorted[i] !== sorted[i - 1]) sorted[kept++] = sorted[i] as number;
  return kept;
}

export function isSame(a: Uint32Array, b: Uint32Array): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}
