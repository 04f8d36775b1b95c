import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlobIds, messageBlobId, partBlobId } from './blob-ids.ts';
import { ordinal } from '../image/ids.ts';

const ids = new BlobIds('a token of the platform');
const email = ordinal({ seq: 12, index: 3 });
const sha256 = 'ab'.repeat(32);

test('blob ids are ids of JMAP and name what they were made of', () => {
  const upload = ids.uploadBlobId('u1', sha256, 7);
  for (const id of [messageBlobId(email), partBlobId(email, '2.1.10'), upload])
    assert.match(id, /^[A-Za-z0-9_-]{1,255}$/);
  assert.deepEqual(ids.parse('u1', messageBlobId(email)), { kind: 'message', email });
  assert.deepEqual(ids.parse('u1', partBlobId(email, '2.1.10')), { kind: 'part', email, partId: '2.1.10' });
  assert.deepEqual(ids.parse('u1', upload), { kind: 'upload', sha256, sizeBytes: 7 });
});

test('an upload is its user’s alone, and nothing of its id can be changed', () => {
  const upload = ids.uploadBlobId('u1', sha256, 7);
  assert.equal(ids.parse('u2', upload), undefined);
  assert.equal(new BlobIds('a token of another platform').parse('u1', upload), undefined);
  assert.equal(ids.parse('u1', upload.replace('abab', 'baba')), undefined);
  assert.equal(ids.parse('u1', upload.replace('_7_', '_8_')), undefined);
  for (const id of ['', 'u_', sha256, 'b_m1-0', 'p_e1-0', 'p_e1-0_', 'b_e1-01'])
    assert.equal(ids.parse('u1', id), undefined, id);
});
