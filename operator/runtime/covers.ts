// Does a live object still have what was applied to it?
import { parseQuantity } from './quantity.ts';

/** Fields whose values are quantities, which the API server writes in its own way ("1024Mi" becomes "1Gi"). */
const QUANTITY_MAPS = new Set(['requests', 'limits', 'capacity', 'hard']);
const QUANTITIES = new Set(['sizeLimit', 'storage']);

/**
 * True when each field of `wanted` has the same value in `live`, which may have more: defaults, status, fields and list
 * entries of others. Lists of objects with a name go by it; all other lists must be equal in length and order. Empty
 * objects and lists may be missing in `live`, for the API server drops some.
 */
export function covers(live: unknown, wanted: unknown, field = '', parent = ''): boolean {
  if (wanted === undefined) return true;
  if (Array.isArray(wanted)) return coversList(live, wanted, field);
  if (typeof wanted === 'object' && wanted !== null) {
    const entries = Object.entries(wanted);
    if (live === undefined || live === null) return entries.every(([, value]) => value === undefined);
    if (typeof live !== 'object') return false;
    const fields = live as Record<string, unknown>;
    return entries.every(([name, value]) => covers(fields[name], value, name, field));
  }
  if (live === wanted) return true;
  return (QUANTITY_MAPS.has(parent) || QUANTITIES.has(field)) && sameQuantity(live, wanted);
}

function coversList(live: unknown, wanted: unknown[], field: string): boolean {
  if (live === undefined || live === null) return wanted.length === 0;
  if (!Array.isArray(live)) return false;
  if (wanted.length > 0 && wanted.every((item) => nameOf(item) !== undefined)) {
    const byName = new Map(live.map((item: unknown) => [nameOf(item), item]));
    return wanted.every((item) => byName.has(nameOf(item)) && covers(byName.get(nameOf(item)), item, field));
  }
  return live.length === wanted.length && wanted.every((item, index) => covers(live[index], item, field));
}

function nameOf(item: unknown): unknown {
  return typeof item === 'object' && item !== null && 'name' in item ? item.name : undefined;
}

function sameQuantity(a: unknown, b: unknown): boolean {
  if (!isScalar(a) || !isScalar(b)) return false;
  const value = parseQuantity(a);
  return value !== undefined && value === parseQuantity(b);
}

const isScalar = (value: unknown): value is string | number =>
  typeof value === 'string' || typeof value === 'number';
