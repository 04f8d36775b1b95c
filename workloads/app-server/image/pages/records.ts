// Records of fixed width, one after the other in an array of bytes, sorted by the key that each begins with.

type Widths = { readonly keyBytes: number; readonly valueBytes: number };

/** The first record whose key is not less, and whether it has this very key. @param key may have more bytes than a key */
export function lowerBound(
  records: Uint8Array,
  { keyBytes, valueBytes }: Widths,
  key: Uint8Array,
): { index: number; found: boolean } {
  const width = keyBytes + valueBytes;
  let low = 0;
  let high = records.length / width;
  let found = false;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compare(records, middle * width, key, keyBytes);
    if (order < 0) low = middle + 1;
    else {
      high = middle;
      found = order === 0;
      if (found) return { index: middle, found };
    }
  }
  return { index: low, found };
}

function compare(records: Uint8Array, start: number, key: Uint8Array, keyBytes: number): number {
  for (let at = 0; at < keyBytes; at++) {
    const difference = (records[start + at] as number) - (key[at] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

export function keyAt(records: Uint8Array, { keyBytes, valueBytes }: Widths, index: number): Uint8Array {
  const start = index * (keyBytes + valueBytes);
  return records.slice(start, start + keyBytes);
}

export function insertAt(records: Uint8Array, width: number, index: number, record: Uint8Array): Uint8Array {
  const grown = new Uint8Array(records.length + width);
  const start = index * width;
  grown.set(records.subarray(0, start));
  grown.set(record, start);
  grown.set(records.subarray(start), start + width);
  return grown;
}

export function replaceAt(records: Uint8Array, index: number, record: Uint8Array): Uint8Array {
  const replaced = records.slice();
  replaced.set(record, index * record.length);
  return replaced;
}

export function removeAt(records: Uint8Array, width: number, index: number): Uint8Array {
  const left = new Uint8Array(records.length - width);
  const start = index * width;
  left.set(records.subarray(0, start));
  left.set(records.subarray(start + width), start);
  return left;
}
