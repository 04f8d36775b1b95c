import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { evaluateFilter, type Filter, type Truth } from './filter.ts';

const filters = fc.letrec<{ filter: Filter<number> }>((tie) => ({
  filter: fc.oneof(
    { depthSize: 'small' },
    fc.record({ kind: fc.constant('condition' as const), condition: fc.nat(3) }),
    fc.record({
      kind: fc.constant('operator' as const),
      operator: fc.constantFrom('AND' as const, 'OR' as const, 'NOT' as const),
      filters: fc.array(tie('filter'), { maxLength: 3 }),
    }),
  ),
})).filter;

function plain(filter: Filter<number>, values: readonly boolean[]): boolean {
  if (filter.kind === 'condition') return values[filter.condition] ?? false;
  const truths = filter.filters.map((part) => plain(part, values));
  if (filter.operator === 'AND') return truths.every(Boolean);
  return filter.operator === 'OR' ? truths.some(Boolean) : !truths.some(Boolean);
}

test('what is told while some conditions are unknown holds whatever they turn out to be', () => {
  const values = fc.array(fc.boolean(), { minLength: 4, maxLength: 4 });
  const known = fc.array(fc.boolean(), { minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(filters, values, known, (filter, truths, isKnown) => {
      const partly = evaluateFilter(filter, (n): Truth => (isKnown[n] ? truths[n] : undefined));
      const expected = plain(filter, truths);
      assert.ok(partly === undefined || partly === expected);
      assert.equal(
        evaluateFilter(filter, (n) => truths[n]),
        expected,
      );
    }),
  );
});
