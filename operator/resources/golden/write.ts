// `npm run golden`: writes what the operator makes pods of, for golden.test.ts to compare with.
import { writeFile } from 'node:fs/promises';
import { renderGolden } from '../testing.ts';

for (const [file, text] of Object.entries(await renderGolden()))
  await writeFile(new URL(file, import.meta.url), text);
