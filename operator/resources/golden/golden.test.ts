import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFile } from 'node:fs/promises';
import { renderGolden } from '../testing.ts';

for (const [file, text] of Object.entries(await renderGolden())) {
  test(`pods are made of the same as by the operator before: ${file}`, async () => {
    const before = await readFile(new URL(file, import.meta.url), 'utf8');
    assert.equal(
      text,
      before,
      `An upgrade to this operator restarts pods of every platform and cell that look like the sample. If that has to be, ` +
        `write the file anew (npm run golden) and say so where releases are described.`,
    );
  });
}
