import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readdir, readFile } from 'node:fs/promises';
import { fieldsOf, pageOf, readCustomResource } from './pages.ts';

const CRDS = new URL('../../crds/', import.meta.url);
const REFERENCE = new URL('../../docs/reference/', import.meta.url);
const files = (await readdir(CRDS)).filter((name) => name.endsWith('.yaml'));

for (const file of files) {
  const resource = readCustomResource(await readFile(new URL(file, CRDS), 'utf8'));

  test(`kubectl explain has a text for every field of ${file}`, () => {
    const fields = fieldsOf(resource);
    assert.ok(fields.length > 10, `${fields.length} fields were found`);
    assert.deepEqual(
      fields.filter(({ schema }) => !schema.description).map(({ path }) => path),
      [],
    );
  });

  test(`the reference in docs/ is that of ${file} (npm run docs writes it)`, async () => {
    assert.equal(await readFile(new URL(file.replace('.yaml', '.md'), REFERENCE), 'utf8'), pageOf(resource));
  });
}
