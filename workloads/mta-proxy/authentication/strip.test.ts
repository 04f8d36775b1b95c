import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ForgedResultsFilter } from './strip.ts';

function filtered(text: string, chunkBytes = text.length): { text: string; stripped: number } {
  const filter = new ForgedResultsFilter('mx.test');
  const bytes = Buffer.from(text, 'latin1');
  const kept: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes)
    kept.push(filter.push(bytes.subarray(at, at + chunkBytes)));
  kept.push(filter.end());
  return { text: Buffer.concat(kept).toString('latin1'), stripped: filter.stripped };
}

test('fields that claim to be ours go, whatever they look like and however they come', () => {
  const ours = [
    'Authentication-Results: mx.test; spf=pass\r\n',
    'AUTHENTICATION-RESULTS \t:mx.TEST 1; spf=pass\r\n',
    'Authentication-Results:\r\n (a (nested) comment)\r\n\tmx.test;\r\n spf=pass\r\n',
    'Authentication-Results: mx.test/1; spf=pass\r\n',
    'Authentication-Results: "mx\\.test"; spf=pass\r\n',
    'Authentication-Results: ;\r\n',
  ];
  for (const field of ours)
    for (const chunkBytes of [1, 7, 10_000])
      assert.deepEqual(
        filtered(`A: b\r\n${field}C: d\r\n\r\n${field}`, chunkBytes),
        { text: `A: b\r\nC: d\r\n\r\n${field}`, stripped: 1 },
        field,
      );
});

test('all else stays byte for byte', () => {
  for (const text of [
    'Authentication-Results: mx.test.example; spf=pass\r\n\r\nx',
    'ARC-Authentication-Results: i=1; mx.test; spf=pass\r\n\r\nx',
    'X: y\r\n Authentication-Results: mx.test; spf=pass\r\n\r\nx',
    '\r\nAuthentication-Results: mx.test; spf=pass\r\n',
    'no header at all',
    '',
  ])
    assert.deepEqual(filtered(text, 3), { text, stripped: 0 }, text);
});
