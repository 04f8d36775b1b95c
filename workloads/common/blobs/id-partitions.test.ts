import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { IdPartitions, PARTS } from './id-partitions.ts';

test('ids come back by their first byte, each once, also more than are kept in memory', async () => {
  const partitions = await IdPartitions.make();
  try {
    const wanted = new Map<string, number>();
    for (let number = 0; number < 3_000; number++) {
      const hash = createHash('sha256').update(`${number}`).digest('hex');
      // Many of one part, and some of all.
      const id = number % 2 ? `7f${hash.slice(2)}` : hash;
      wanted.set(id, number);
      await partitions.add(id, number);
      if (number % 10 === 0) await partitions.add(id, number);
    }
    let found = 0;
    for (let part = 0; part < PARTS; part++) {
      for (const [id, sizeBytes] of await partitions.read(part)) {
        assert.equal(Number.parseInt(id.slice(0, 2), 16), part);
        assert.equal(sizeBytes, wanted.get(id));
        found++;
      }
    }
    assert.equal(found, wanted.size);
  } finally {
    await partitions.close();
  }
});
