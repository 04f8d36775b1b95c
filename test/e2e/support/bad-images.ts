// Versions of the cellpost image that are bad in ways of a test's choice: the very image, with one more layer on top.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { image, layer } from '../../../images/archive.ts';
import { baseLayer } from '../../../images/base.ts';
import { hashOf } from '../../../images/cache.ts';
import { cellpostLayers } from '../../../images/cellpost/layers.ts';

/** Preloaded by every program of the image; only app servers are bad. */
const FAULTS = {
  /** It ends as soon as it begins. */
  exits: `if (process.argv.includes('app-server')) process.exit(1);`,
  /** Of its good answers to POST every tenth becomes a 500, which its metrics count as any other. */
  fails: `
import { ServerResponse } from 'node:http';
if (process.argv.includes('app-server')) {
  const { end } = ServerResponse.prototype;
  let answers = 0;
  ServerResponse.prototype.end = function (...args) {
    const isGood = this.req?.method === 'POST' && this.statusCode === 200 && !this.headersSent;
    if (!isGood || ++answers % 10 > 0) return end.apply(this, args);
    this.statusCode = 500;
    this.removeHeader('Content-Length');
    return end.call(this, 'a fault of the test');
  };
}
`,
} as const;

export type Fault = keyof typeof FAULTS;

/** @returns a docker-archive; the image's reference is `localhost/cellpost:` with some tag */
export async function badImage(fault: Fault): Promise<{ reference: string; tar: string }> {
  const code = FAULTS[fault];
  const fill = async (root: string): Promise<void> => {
    await mkdir(join(root, 'app'), { recursive: true });
    await writeFile(join(root, 'app', 'fault.mjs'), code);
  };
  return await image(
    {
      name: 'cellpost',
      version: `bad-${fault}`,
      workingDir: '/app',
      env: ['NODE_OPTIONS=--disable-warning=ExperimentalWarning --import=/app/fault.mjs'],
      command: ['node', 'cli/cellpost.ts', '--help'],
    },
    [await baseLayer(), ...(await cellpostLayers()), await layer(`fault-${fault}`, hashOf(code), fill)],
  );
}
