import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { image, layer } from '../../images/archive.ts';
import { cached, hashOfFiles } from '../../images/cache.ts';
import { command } from '../../images/command.ts';

describe('images without a container engine', () => {
  const given = process.env.CELLPOST_CACHE;
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cellpost-images-'));
  });
  after(async () => {
    if (given === undefined) delete process.env.CELLPOST_CACHE;
    else process.env.CELLPOST_CACHE = given;
    await rm(folder, { recursive: true, force: true });
  });

  const useCache = (name: string): string => (process.env.CELLPOST_CACHE = join(folder, name));
  const fill =
    (text: string) =>
    async (root: string): Promise<void> => {
      await mkdir(join(root, 'app'));
      await writeFile(join(root, 'app/b.txt'), text);
      await writeFile(join(root, 'app/a.txt'), text);
    };

  it('have the same bytes whenever and wherever they are built', async () => {
    const tars: Buffer[] = [];
    for (const cache of ['one', 'two']) {
      useCache(cache);
      const { tar } = await image({ name: 'same' }, [await layer('text', 'key', fill('content'))]);
      tars.push(await readFile(tar));
    }
    assert.ok(tars[0]?.length);
    assert.ok(tars[0].equals(tars[1] ?? Buffer.alloc(0)));
  });

  it('have a tag that changes with their content and with nothing else', async () => {
    useCache('tags');
    const built = async (key: string, text: string): Promise<string> =>
      (await image({ name: 'tagged', version: '1.2' }, [await layer('text', key, fill(text))])).reference;
    const first = await built('first', 'content');
    assert.match(first, /^localhost\/tagged:1\.2-[0-9a-f]{12}$/);
    assert.equal(await built('other key', 'content'), first);
    assert.notEqual(await built('changed', 'other content'), first);
  });

  it('are archives as `docker save` writes them', async () => {
    useCache('archive');
    const { tar, reference } = await image({ name: 'archive', workingDir: '/app' }, [
      await layer('lower', 'a', fill('lower')),
      await layer('upper', 'b', fill('upper')),
    ]);
    const read = async (name: string): Promise<string> => await command('tar', ['-xOf', tar, name]);
    const [manifest] = JSON.parse(await read('manifest.json')) as {
      Config: string;
      RepoTags: string[];
      Layers: string[];
    }[];
    assert.deepEqual(manifest?.RepoTags, [reference]);
    assert.deepEqual(manifest.Layers, ['lower-a.tar', 'upper-b.tar']);
    const config = JSON.parse(await read(manifest.Config)) as {
      config: { User: string; WorkingDir: string };
      rootfs: { diff_ids: string[] };
    };
    assert.equal(config.config.User, '1000:1000');
    assert.equal(config.config.WorkingDir, '/app');
    assert.equal(config.rootfs.diff_ids.length, 2);
  });

  it('leave nothing of a build that failed', async () => {
    useCache('failed');
    const broken = layer('text', 'key', () => Promise.reject(new Error('no such luck')));
    await assert.rejects(broken, /no such luck/);
    assert.deepEqual(await readdir(join(folder, 'failed/layers')), []);
  });

  it('let the first of two builders at once win', async () => {
    const path = join(useCache('race'), 'made');
    let builders = 0;
    const both = await Promise.all(
      ['a', 'b'].map((text) =>
        cached(path, async (at) => {
          builders++;
          await mkdir(at);
          await writeFile(join(at, 'file'), text);
        }),
      ),
    );
    assert.deepEqual(both, [path, path]);
    assert.equal(builders, 2);
    assert.deepEqual(await readdir(path), ['file']);
    assert.deepEqual(await readdir(join(path, '..')), ['made']);
  });

  it('hash files by their paths and contents, whatever their order', async () => {
    const root = join(folder, 'hash');
    await mkdir(root);
    const files = ['x', 'y'].map((name) => join(root, name));
    for (const file of files) await writeFile(file, 'same');
    const hash = await hashOfFiles(root, files);
    assert.equal(await hashOfFiles(root, [...files].reverse()), hash);
    await writeFile(join(root, 'y'), 'other');
    assert.notEqual(await hashOfFiles(root, files), hash);
  });
});
