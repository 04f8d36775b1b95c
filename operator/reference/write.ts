// `npm run docs`: writes the reference of the custom resources to docs/reference.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { pageOf, readCustomResource } from './pages.ts';

const FROM = new URL('../../crds/', import.meta.url);
const TO = new URL('../../docs/reference/', import.meta.url);

for (const file of (await readdir(FROM)).filter((name) => name.endsWith('.yaml'))) {
  const page = pageOf(readCustomResource(await readFile(new URL(file, FROM), 'utf8')));
  await writeFile(new URL(file.replace('.yaml', '.md'), TO), page);
}
