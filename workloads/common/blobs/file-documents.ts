// Documents as files: written beside, synced, renamed.
import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { assertDocumentName } from './blob-id.ts';
import { DOCUMENT_NAME, type Documents } from './blob-store.ts';
import { errorCode, guard, names, syncFolder } from './file-system.ts';

export class FileDocuments implements Documents {
  readonly #folder: string;
  readonly #temporary: string;
  readonly #assertOpen: () => void;

  /** @param temporary a folder on the same disk whose old files are removed now and then */
  constructor(folder: string, temporary: string, assertOpen: () => void) {
    this.#folder = folder;
    this.#temporary = temporary;
    this.#assertOpen = assertOpen;
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    this.#assertOpen();
    assertDocumentName(name);
    const path = join(this.#temporary, `${process.pid}-${randomUUID()}`);
    await guard(async () => {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const file = await open(path, 'wx', 0o600);
      try {
        await file.writeFile(bytes);
        await file.sync();
        await file.close();
        await rename(path, join(this.#folder, name));
      } catch (error) {
        await file.close().catch(() => undefined);
        await rm(path, { force: true }).catch(() => undefined);
        throw error;
      }
      await syncFolder(this.#folder);
      await syncFolder(dirname(this.#folder));
    });
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    this.#assertOpen();
    assertDocumentName(name);
    return await guard(async () => {
      try {
        return await readFile(join(this.#folder, name));
      } catch (error) {
        if (errorCode(error) === 'ENOENT') return undefined;
        throw error;
      }
    });
  }

  async list(): Promise<string[]> {
    this.#assertOpen();
    return (await names(this.#folder)).filter((name) => DOCUMENT_NAME.test(name)).sort();
  }
}
