// Blob ids (RFC 8620 section 6). One names a message of the account itself, a part of one, or an upload that was signed for
// this very user: so an id of somebody else's blob, known or guessed, opens nothing.
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { emailId, parseEmailId, type Ordinal } from '../image/ids.ts';

export type BlobName =
  | { kind: 'message'; email: Ordinal }
  | { kind: 'part'; email: Ordinal; partId: string }
  | { kind: 'upload'; sha256: string; sizeBytes: number };

const PART = /^p_([A-Za-z0-9-]{1,32})_([0-9-]{1,220})$/;
const UPLOAD = /^u_([0-9a-f]{64})_(\d{1,12})_([0-9a-f]{32})$/;

/** Part ids hold dots in MIME's own numbering; ids of JMAP don't. */
export function messageBlobId(email: Ordinal): string {
  return `b_${emailId(email)}`;
}

export function partBlobId(email: Ordinal, partId: string): string {
  return `p_${emailId(email)}_${partId.replaceAll('.', '-')}`;
}

export class BlobIds {
  readonly #key: Uint8Array;

  constructor(platformToken: string) {
    this.#key = new Uint8Array(hkdfSync('sha256', platformToken, '', 'cellpost upload ids', 32));
  }

  uploadBlobId(userId: string, sha256: string, sizeBytes: number): string {
    return `u_${sha256}_${sizeBytes}_${this.#sign(userId, sha256, sizeBytes)}`;
  }

  /** @returns undefined for what is no blob id, or an upload that is not this user's */
  parse(userId: string, blobId: string): BlobName | undefined {
    if (blobId.startsWith('b_')) {
      const email = parseEmailId(blobId.slice(2));
      return email === undefined ? undefined : { kind: 'message', email };
    }
    const part = PART.exec(blobId);
    if (part?.[1] && part[2]) {
      const email = parseEmailId(part[1]);
      return email === undefined ? undefined : { kind: 'part', email, partId: part[2].replaceAll('-', '.') };
    }
    const upload = UPLOAD.exec(blobId);
    if (!upload?.[1] || !upload[3]) return undefined;
    const sizeBytes = Number(upload[2]);
    const wanted = Buffer.from(this.#sign(userId, upload[1], sizeBytes));
    if (!timingSafeEqual(wanted, Buffer.from(upload[3]))) return undefined;
    return { kind: 'upload', sha256: upload[1], sizeBytes };
  }

  #sign(userId: string, sha256: string, sizeBytes: number): string {
    return createHmac('sha256', this.#key)
      .update(`${userId}\n${sha256}\n${sizeBytes}`)
      .digest('hex')
      .slice(0, 32);
  }
}
