// Kubernetes quantities: `100m`, `1.5`, `512Mi`, `1e3`.

const FACTORS: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};
const SHAPE = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([numkMGTPE]i?|Ki)?$/;

/** @returns the number it stands for (bytes, processors), or undefined when it is no quantity */
export function parseQuantity(quantity: string | number): number | undefined {
  if (typeof quantity === 'number') return quantity;
  const match = SHAPE.exec(quantity);
  const factor = FACTORS[match?.[2] ?? ''];
  return match && factor !== undefined ? Number(match[1]) * factor : undefined;
}

/** @throws RangeError when it is none: the schema lets none such through */
export function bytesOf(quantity: string | number): number {
  const value = parseQuantity(quantity);
  if (value === undefined) throw new RangeError(`${quantity} is no quantity.`);
  return Math.floor(value);
}
