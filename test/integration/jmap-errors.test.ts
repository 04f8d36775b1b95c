// Bad input gets the protocol's own error (RFC 8620 section 3.6), and the next request works.
import assert from 'node:assert/strict';
import { after, afterEach, before, suite, test } from 'node:test';
import { basic, Harness, mail, type Json } from './jmap-harness.ts';

const CORE = 'urn:ietf:params:jmap:core';
const MAIL = 'urn:ietf:params:jmap:mail';
const ALICE = basic('alice@cellpost.test');

suite('bad JMAP requests', () => {
  let server: Harness;

  before(async () => {
    server = await Harness.start();
    await server.createUser('alice', 'alice@cellpost.test');
    await server.deliver('alice', mail('One'));
  });
  after(() => server[Symbol.asyncDispose]());

  afterEach(async () => {
    const [echo] = await server.call('alice', [['Core/echo', { still: 'here' }, 'e']], 'alice@cellpost.test');
    assert.deepEqual(echo, ['Core/echo', { still: 'here' }, 'e']);
  });

  async function post(
    body: string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = {},
  ): Promise<Json> {
    const response = await server.fetch('/users/alice/jmap/api', ALICE, { method: 'POST', body, headers });
    assert.equal(response.headers.get('content-type'), 'application/problem+json; charset=utf-8');
    return { ...((await response.json()) as Json), httpStatus: response.status };
  }

  async function expectProblem(body: string | Uint8Array<ArrayBuffer>, type: string): Promise<Json> {
    const problem = await post(body);
    assert.equal(problem.type, `urn:ietf:params:jmap:error:${type}`);
    assert.equal(problem.httpStatus, 400);
    assert.equal(problem.status, 400);
    assert.ok(problem.detail.length > 5);
    return problem;
  }

  /** Makes one call as alice. */
  async function callError(name: string, args: Json): Promise<Json> {
    const [response] = await server.call('alice', [[name, args, 'c']], 'alice@cellpost.test');
    assert.equal(response?.[0], 'error', JSON.stringify(response));
    assert.equal(response?.[2], 'c');
    return response?.[1];
  }

  test('what is no JSON is notJSON', async () => {
    for (const body of ['{"using":', '', 'using', '\u0000', '{"a":1,}', "{'using':[]}"])
      await expectProblem(body, 'notJSON');
    await expectProblem(new Uint8Array([0x22, 0xff, 0xfe, 0x22]), 'notJSON');
    const problem = await post('{"using":[],"methodCalls":[]}', { 'content-type': 'text/plain' });
    assert.equal(problem.type, 'urn:ietf:params:jmap:error:notJSON');
  });

  test('JSON that is nested without end is notJSON', async () => {
    await expectProblem('['.repeat(100_000) + ']'.repeat(100_000), 'notJSON');
    await expectProblem('{"using":'.repeat(50_000), 'notJSON');
  });

  test('JSON of another shape is notRequest', async () => {
    for (const request of [
      null,
      1,
      [],
      {},
      { using: MAIL, methodCalls: [] },
      { using: [1], methodCalls: [] },
      { using: [], methodCalls: {} },
      { using: [], methodCalls: [['Core/echo', {}]] },
      { using: [], methodCalls: [['Core/echo', [], 'a']] },
      { using: [], methodCalls: [['Core/echo', {}, 1]] },
      { using: [], methodCalls: [[1, {}, 'a']] },
      { using: [], methodCalls: [], createdIds: { a: 1 } },
    ])
      await expectProblem(JSON.stringify(request), 'notRequest');
  });

  test('an unknown capability refuses the request', async () => {
    await expectProblem(
      JSON.stringify({ using: [CORE, 'urn:example:none'], methodCalls: [] }),
      'unknownCapability',
    );
  });

  test('too many calls and too many bytes break a limit', async () => {
    const methodCalls = Array.from({ length: 65 }, () => ['Core/echo', {}, 'a']);
    const tooMany = await expectProblem(JSON.stringify({ using: [CORE], methodCalls }), 'limit');
    assert.equal(tooMany.limit, 'maxCallsInRequest');
    const large = JSON.stringify({
      using: [CORE],
      methodCalls: [['Core/echo', { x: 'x'.repeat(10_000_000) }, 'a']],
    });
    const tooLarge = await expectProblem(large, 'limit');
    assert.equal(tooLarge.limit, 'maxSizeRequest');
  });

  test('an unknown method, and one whose capability is not used, are unknownMethod', async () => {
    for (const name of ['Email/nothing', '__proto__', 'constructor', '', 'email/get'])
      assert.equal((await callError(name, { accountId: 'alice' })).type, 'unknownMethod');
    const [response] = await server.call('alice', [['Email/get', { accountId: 'alice' }, 'c']], undefined, [
      CORE,
    ]);
    assert.equal(response?.[1].type, 'unknownMethod');
  });

  test('wrong types, missing and unknown arguments are invalidArguments that say which', async () => {
    const accountId = 'alice';
    for (const [name, args, pattern] of [
      ['Email/get', { accountId, ids: 'e1-0' }, /^ids: /],
      ['Email/get', { accountId, ids: [1] }, /^ids\/0: /],
      ['Email/get', { ids: [] }, /^accountId: /],
      ['Email/get', { accountId: ['alice'], ids: [] }, /^accountId: /],
      ['Email/get', { accountId, ids: [], colour: 'red' }, /colour/],
      ['Email/get', { accountId, ids: [], properties: ['colour'] }, /colour/],
      ['Email/get', { accountId, ids: [], properties: ['header:From:asDate'] }, /header:From:asDate/],
      ['Email/get', { accountId, ids: [], properties: ['header:From:asNothing'] }, /asNothing/],
      ['Email/get', { accountId, ids: [], bodyProperties: ['colour'] }, /colour/],
      ['Email/get', { accountId, ids: [], maxBodyValueBytes: -1 }, /^maxBodyValueBytes: /],
      ['Email/query', { accountId, limit: -1 }, /^limit: /],
      ['Email/query', { accountId, position: 1.5 }, /^position: /],
      ['Email/query', { accountId, filter: 'x' }, /^filter: /],
      ['Email/query', { accountId, filter: { operator: 'XOR', conditions: [] } }, /^operator: /],
      ['Email/query', { accountId, filter: { before: '2026-11-23' } }, /^before: /],
      ['Email/query', { accountId, sort: [{ property: 'hasKeyword' }] }, /keyword/],
      ['Email/changes', { accountId }, /^sinceState: /],
      ['Email/changes', { accountId, sinceState: 's0-0', maxChanges: 0 }, /^maxChanges: /],
      ['Email/set', { accountId, update: [] }, /^update: /],
      ['Email/set', { accountId, update: { 'e1-0': null } }, /^update\/e1-0: /],
      ['Mailbox/set', { accountId, onDestroyRemoveEmails: 'yes' }, /^onDestroyRemoveEmails: /],
    ] as const) {
      const error = await callError(name, args);
      assert.equal(error.type, 'invalidArguments', JSON.stringify([name, args, error]));
      assert.match(error.description, pattern);
    }
  });

  test('filters and sorts that do not exist are unsupported', async () => {
    const accountId = 'alice';
    const filter = await callError('Email/query', { accountId, filter: { colour: 'red' } });
    assert.equal(filter.type, 'unsupportedFilter');
    const sort = await callError('Email/query', { accountId, sort: [{ property: 'colour' }] });
    assert.equal(sort.type, 'unsupportedSort');
    const collation = await callError('Email/query', {
      accountId,
      sort: [{ property: 'from', collation: 'x' }],
    });
    assert.equal(collation.type, 'unsupportedSort');
    const conditions = Array.from({ length: 200 }, () => ({ hasKeyword: 'a' }));
    const large = await callError('Email/query', { accountId, filter: { operator: 'OR', conditions } });
    assert.equal(large.type, 'unsupportedFilter');
  });

  test('references to nothing are invalidResultReference, and later calls are made', async () => {
    const accountId = 'alice';
    for (const reference of [
      { resultOf: 'none', name: 'Core/echo', path: '/ids' },
      { resultOf: 'a', name: 'Email/query', path: '/ids' },
      { resultOf: 'a', name: 'Core/echo', path: '/none' },
      { resultOf: 'a', name: 'Core/echo', path: '/list/*/none' },
      { resultOf: 'a', name: 'Core/echo', path: '/list/99' },
      { resultOf: 'a', name: 'Core/echo', path: '/__proto__' },
      { resultOf: 'a', name: 'Core/echo', path: '/list/length' },
      { resultOf: 'a', name: 'Core/echo', path: 'list' },
      { resultOf: 'later', name: 'Core/echo', path: '/x' },
      { resultOf: 'a' },
      'a',
      null,
    ]) {
      const responses = await server.call('alice', [
        ['Core/echo', { list: [{ id: 'e1-0' }, {}] }, 'a'],
        ['Email/get', { accountId, '#ids': reference }, 'b'],
        ['Core/echo', { x: ['e1-0'] }, 'later'],
      ]);
      assert.equal(responses[1]?.[0], 'error');
      assert.equal(responses[1]?.[1].type, 'invalidResultReference', JSON.stringify(reference));
      assert.equal(responses[2]?.[0], 'Core/echo');
    }
    const both = await callError('Email/get', {
      accountId,
      ids: [],
      '#ids': { resultOf: 'a', name: 'Core/echo', path: '' },
    });
    assert.equal(both.type, 'invalidArguments');
  });

  test('keys that name prototypes are keys like others', async () => {
    const body = `{"using":["${CORE}","${MAIL}"],"methodCalls":[
      ["Core/echo",{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}},"a"],
      ["Email/set",{"accountId":"alice","update":{"__proto__":{"keywords/$seen":true},"constructor":{"__proto__":true}}},"b"],
      ["Mailbox/set",{"accountId":"alice","create":{"__proto__":{"name":"x","__proto__":{"role":"inbox"}}}},"c"]],
      "__proto__":{"polluted":true}}`;
    const response = await server.fetch('/users/alice/jmap/api', ALICE, { method: 'POST', body });
    assert.equal(response.status, 200);
    await response.text();
    assert.equal(({} as Json).polluted, undefined);
    assert.equal(({} as Json).role, undefined);
  });

  test('too many objects at once are requestTooLarge', async () => {
    const ids = Array.from({ length: 501 }, (_, index) => `e1-${index}`);
    const get = await callError('Email/get', { accountId: 'alice', ids });
    assert.equal(get.type, 'requestTooLarge');
    const set = await callError('Email/set', { accountId: 'alice', destroy: ids });
    assert.equal(set.type, 'requestTooLarge');
  });

  test('states that were never given can’t be told the changes of', async () => {
    for (const sinceState of ['', 'x', 's1', 's9999-0', 's01-0', 'e1-0', 's1-99999999'])
      for (const name of ['Email/changes', 'Mailbox/changes', 'Thread/changes'])
        assert.equal(
          (await callError(name, { accountId: 'alice', sinceState })).type,
          'cannotCalculateChanges',
        );
    for (const args of [
      { sinceQueryState: 'x' },
      { sinceQueryState: 's99-0' },
      { sinceQueryState: 's1-0', collapseThreads: true },
      {
        sinceQueryState: 's1-0',
        filter: { operator: 'NOT', conditions: [{ someInThreadHaveKeyword: 'a' }] },
      },
    ]) {
      const query = await callError('Email/queryChanges', { accountId: 'alice', ...args });
      assert.equal(query.type, 'cannotCalculateChanges');
    }
  });

  test('wrong paths, methods and event stream arguments get a status that says so', async () => {
    for (const [path, status] of [
      ['/nothing', 404],
      ['/users/alice/jmap/nothing', 404],
      ['/users/..%2f..%2fetc/jmap/session', 404],
      ['/users/alice/jmap/eventsource?closeafter=never', 400],
      ['/users/alice/jmap/eventsource?ping=x', 400],
      ['/users/alice/jmap/download/alice/b_e1-99/x', 404],
      ['/users/alice/jmap/download/alice/p_e10-0_1/x', 404],
      ['/users/alice/jmap/download/alice/..%2f..%2fx/x', 404],
    ] as const) {
      const response = await server.fetch(path, ALICE);
      assert.equal(response.status, status, path);
      await response.text();
    }
  });
});
