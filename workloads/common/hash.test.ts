import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashKey, murmur64 } from './hash.ts';

const GOLDEN: [key: string, bytes: string][] = [
  ['', '0000000000000000'],
  ['a', 'a794933c5556b01b'],
  ['user:alice', 'ab56de780e909f69'],
  ['address:alice@cellpost.test', 'a000caba800b33ef'],
  ['0123456789abcdef0123456789abcdefxyz', '414ec1a466408770'],
  ['The quick brown fox jumps over the lazy dog', '2f1583c3ecee2c67'],
];

test('keys hash to what other implementations of MurmurHash3 say', () => {
  for (const [key, bytes] of GOLDEN)
    assert.equal(Buffer.from(hashKey(key).bytes).toString('hex'), bytes, key);
});

test('bucket and position are the first two bytes and the four after them', () => {
  const { bucket, position } = hashKey('user:alice');
  assert.equal(bucket, 0xab56);
  assert.equal(position, 0xde780e90);
});

test('a key hashes like its UTF-8, however long and in whatever script', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 600 }), (key) => {
      const [high, low] = murmur64(new TextEncoder().encode(key));
      const view = new DataView(hashKey(key).bytes.buffer);
      return view.getUint32(0) === high && view.getUint32(4) === low;
    }),
  );
});

test('the bytes of one key outlive the hashing of the next', () => {
  const first = hashKey('a');
  hashKey('user:alice');
  assert.equal(Buffer.from(first.bytes).toString('hex'), 'a794933c5556b01b');
});
