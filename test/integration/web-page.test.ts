// The inbox page in a real browser: signing in, reading, acting, and mail that means harm.
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { after, before, describe, it } from 'node:test';
import nodemailer, { type SendMailOptions } from 'nodemailer';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { browserMissing, startBrowser } from '../support/browser.ts';
import { openJmap } from '../support/jmap.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';
import { until } from '../support/wait.ts';

const TIMEOUT_MS = 20_000;

describe('the inbox page', { skip: browserMissing() }, () => {
  let platform: PlatformUnderTest;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let elsewhere: Elsewhere;

  before(async () => {
    [platform, browser, elsewhere] = await Promise.all([startPlatform(), startBrowser(), startElsewhere()]);
    context = await browser.newContext({ viewport: { width: 1280, height: 800 }, acceptDownloads: true });
    page = await signIn(context, 'alice');
  });
  after(async () => {
    await browser?.close();
    await elsewhere?.close();
    await platform?.[Symbol.asyncDispose]();
  });

  async function signIn(context: BrowserContext, name: string): Promise<Page> {
    const page = await context.newPage();
    page.setDefaultTimeout(TIMEOUT_MS);
    await page.goto(platform.webUrl);
    await page.getByLabel('Email address').fill(`${name}@cellpost.test`);
    await page.getByLabel('Password').fill('demo');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Inbox' }).waitFor();
    return page;
  }

  async function send(message: SendMailOptions, to = 'alice@cellpost.test'): Promise<void> {
    const transport = nodemailer.createTransport({ host: '127.0.0.1', port: platform.smtpPort });
    await transport.sendMail({ from: 'Ada Lovelace <bob@cellpost.test>', to, ...message });
    transport.close();
  }

  const row = (subject: string) => page.locator('.row', { hasText: subject });
  const action = (name: string) => page.getByRole('toolbar').getByRole('button', { name, exact: true });
  const openMailbox = async (name: string): Promise<void> => {
    await page.getByRole('navigation').getByRole('button', { name }).click();
    await page.getByRole('heading', { name, exact: true, level: 2 }).waitFor();
  };

  it('says so when the password is wrong', async () => {
    const other = await browser.newContext();
    try {
      const page = await other.newPage();
      await page.goto(platform.webUrl);
      await page.getByLabel('Email address').fill('bob@cellpost.test');
      await page.getByLabel('Password').fill('wrong');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByText('The address or the password is wrong.').waitFor();
    } finally {
      await other.close();
    }
  });

  it('shows a mail that comes, without a reload', async () => {
    await page.getByLabel('Connected', { exact: true }).waitFor();
    await send({ subject: 'Fresh mail', text: 'It came by itself. See https://example.org/x.' });
    await row('Fresh mail').waitFor();
    assert.match((await row('Fresh mail').getAttribute('class')) ?? '', /unread/);
    assert.match(await page.title(), /^\(1\) Inbox/);
    await row('Fresh mail').locator('.open').click();
    await page.locator('.plain').getByText('It came by itself.').waitFor();
    const link = page.locator('.plain a');
    assert.equal(await link.getAttribute('href'), 'https://example.org/x');
    assert.equal(await link.getAttribute('rel'), 'noopener noreferrer');
    await page.locator('.row.selected:not(.unread)').waitFor();
    await until(async () => (await page.title()) === 'Inbox · Cellpost', { timeoutMs: TIMEOUT_MS });
  });

  it('in the background asks for the counts in its title and no more, and catches up when it is seen', async () => {
    const paths: string[] = [];
    const note = (request: { url(): string }): void => void paths.push(new URL(request.url()).pathname);
    const show = (hidden: boolean): Promise<void> =>
      page.evaluate((hidden) => {
        const { document } = globalThis as unknown as { document: EventTarget };
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
        document.dispatchEvent(new Event('visibilitychange'));
      }, hidden);
    const titled = (title: string): Promise<boolean> =>
      until(async () => (await page.title()) === title, { timeoutMs: TIMEOUT_MS, what: title });
    await show(true);
    // What was under way before is over with the first.
    await send({ subject: 'First', text: 'Nobody looks.' });
    await titled('● (1) Inbox · Cellpost');
    page.on('request', note);
    await send({ subject: 'While away', text: 'Nobody looks.' });
    await titled('● (2) Inbox · Cellpost');
    page.off('request', note);
    assert.ok(paths.includes('/counts'));
    assert.ok(!paths.includes('/jmap/api'), paths.join());
    assert.equal(await row('While away').count(), 0);
    await show(false);
    await row('While away').waitFor();
    await titled('(2) Inbox · Cellpost');
    for (const [subject, title] of [
      ['While away', '(1) Inbox · Cellpost'],
      ['First', 'Inbox · Cellpost'],
    ] as const) {
      await row(subject).locator('.open').click();
      await titled(title);
    }
  });

  it('shows mail from strangers in Other, beside the inbox', async () => {
    await send({ from: 'eve@example.org', subject: 'From a stranger', text: 'You do not know me.' });
    const other = page.getByRole('navigation').getByRole('button', { name: 'Other' });
    await other.getByLabel('1 unread').waitFor();
    const names = await page.getByRole('navigation').locator('.name').allTextContents();
    assert.deepEqual(names.slice(0, 2), ['Inbox', 'Other']);
    assert.equal(await page.title(), 'Inbox · Cellpost');
    await openMailbox('Other');
    await row('From a stranger').waitFor();
    assert.equal(await row('Fresh mail').count(), 0);
    await openMailbox('Inbox');
  });

  it('stays signed in over a reload, in this tab only', async () => {
    await page.reload();
    await row('Fresh mail').waitFor();
    const other = await context.newPage();
    await other.goto(platform.webUrl);
    await other.getByRole('button', { name: 'Sign in' }).waitFor();
    await other.close();
  });

  it('shows nothing of it to bob', async () => {
    const other = await browser.newContext();
    try {
      const page = await signIn(other, 'bob');
      await page.getByText('Nothing here.').waitFor();
      assert.equal(await page.getByText('Fresh mail').count(), 0);
    } finally {
      await other.close();
    }
  });

  it('lets hostile HTML do nothing', async () => {
    const dialogs: string[] = [];
    page.on('dialog', (dialog) => {
      dialogs.push(dialog.message());
      void dialog.dismiss();
    });
    await send({ subject: 'Hostile mail', html: hostile(elsewhere.url) });
    await row('Hostile mail').locator('.open').click();
    const frame = page.frameLocator('iframe');
    await frame.getByText('The end of it.').waitFor();
    await page.getByText('Images from elsewhere are not shown').waitFor();
    // What could act is gone; what is left is text, in its own style.
    assert.equal(
      await frame.locator('script, form, input, iframe, object, embed, svg, base, meta, link').count(),
      0,
    );
    assert.equal(await frame.locator('[onerror], [onload], [onclick], [onmouseover]').count(), 0);
    assert.equal(await frame.getByText('bad link').getAttribute('href'), null);
    assert.equal(await frame.getByText('good link').getAttribute('href'), 'https://example.org/');
    assert.equal(
      await frame
        .locator('p.styled')
        .first()
        .evaluate((element) => element.style.color),
      'rgb(1, 2, 3)',
    );
    await frame.getByText('bad link').click();
    const touched = await Promise.all(
      page.frames().map(async (one) => await one.evaluate(() => 'pwned' in globalThis)),
    );
    assert.deepEqual(new Set(touched), new Set([false]));
    assert.deepEqual(dialogs, []);
    assert.equal(new URL(page.url()).origin, platform.webUrl);
    assert.equal(page.context().pages().length, 1);
    assert.deepEqual(elsewhere.requests, []);
  });

  it('loads images from elsewhere when asked to, and only images', async () => {
    await page.getByRole('button', { name: 'Show images' }).click();
    await page.frameLocator('iframe').getByText('The end of it.').waitFor();
    await until(() => elsewhere.requests.some((path) => path.startsWith('/image')), {
      timeoutMs: TIMEOUT_MS,
      what: 'the image to be asked for',
    });
    assert.deepEqual(
      elsewhere.requests.filter((path) => !path.startsWith('/image')),
      [],
    );
  });

  it('shows pictures that came with the message, and saves attachments', async () => {
    await send({
      subject: 'With things',
      html: '<p>Look: <img src="cid:dot@here" alt="dot"></p>',
      attachments: [
        {
          filename: 'dot.png',
          cid: 'dot@here',
          content: Buffer.from(DOT, 'base64'),
          contentType: 'image/png',
        },
        { filename: 'übersicht.txt', content: 'plain words', contentType: 'text/plain' },
      ],
    });
    await row('With things').locator('.open').click();
    const image = page.frameLocator('iframe').locator('img');
    await until(
      async () =>
        (await image.count()) === 1 &&
        (await image.evaluate((element) => 'naturalWidth' in element && element.naturalWidth === 1)),
      { timeoutMs: TIMEOUT_MS, what: 'the picture' },
    );
    const saved = page.waitForEvent('download');
    await page.getByRole('button', { name: /übersicht\.txt/ }).click();
    const download = await saved;
    assert.equal(download.suggestedFilename(), 'übersicht.txt');
    const chunks: Buffer[] = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk);
    assert.equal(Buffer.concat(chunks).toString(), 'plain words');
  });

  it('stars, marks as unread, moves, undoes, deletes', async () => {
    // To move it into Junk says where mail of its sender goes from now on: so it is of nobody else's.
    await send({ from: 'carol@cellpost.test', subject: 'To be handled', text: 'now' });
    await row('To be handled').locator('.open').click();
    await action('Star').click();
    await row('To be handled').getByRole('button', { pressed: true }).waitFor();
    await action('Mark as unread').click();
    await page.locator('.row.unread', { hasText: 'To be handled' }).waitFor();
    await action('Archive').click();
    await row('To be handled').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Undo' }).click();
    await row('To be handled').waitFor();
    await row('To be handled').locator('.open').click();
    await action('Move to …').click();
    await page.getByRole('menuitem', { name: 'Junk' }).click();
    await row('To be handled').waitFor({ state: 'detached' });
    await openMailbox('Junk');
    await row('To be handled').locator('.open').click();
    await action('Delete').click();
    await row('To be handled').waitFor({ state: 'detached' });
    await openMailbox('Trash');
    await row('To be handled').locator('.open').click();
    await action('Delete for good').click();
    await page.getByText('Nothing here.').waitFor();
    await page.reload();
    await openMailbox('Inbox');
    assert.equal(await row('To be handled').count(), 0);
  });

  it('works by keyboard', async () => {
    await send({ subject: 'By keyboard', text: 'keys' });
    await row('By keyboard').waitFor();
    await page.locator('.list header').click();
    await page.keyboard.press('j');
    await page.locator('.plain').getByText('keys').waitFor();
    await page.keyboard.press('s');
    await row('By keyboard').getByRole('button', { pressed: true }).waitFor();
    await page.keyboard.press('e');
    await row('By keyboard').waitFor({ state: 'detached' });
    await openMailbox('Archive');
    await row('By keyboard').waitFor();
    await openMailbox('Inbox');
  });

  it('finds words, and goes back when the search is cleared', async () => {
    await send({ subject: 'Needle', text: 'a quokka in the haystack' });
    await row('Needle').waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('quokka');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Results for' }).waitFor();
    await row('Needle').waitFor();
    await until(async () => (await page.locator('.row').count()) === 1, { timeoutMs: TIMEOUT_MS });
    await page.getByLabel('Search mail').fill('');
    await page.getByRole('heading', { name: 'Inbox' }).waitFor();
  });

  it('loads a long list as one scrolls', async () => {
    const transport = nodemailer.createTransport({ host: '127.0.0.1', port: platform.smtpPort, pool: true });
    const many = Array.from({ length: 70 }, (_, index) =>
      transport.sendMail({
        from: 'bob@cellpost.test',
        to: 'carol@cellpost.test',
        subject: `Number ${index}`,
        text: 'x',
      }),
    );
    await Promise.all(many);
    transport.close();
    const other = await browser.newContext();
    try {
      const page = await signIn(other, 'carol');
      await page.getByText('70 messages').waitFor();
      assert.ok((await page.locator('.row').count()) <= 70);
      await page.locator('.list').evaluate((element) => (element.scrollTop = element.scrollHeight));
      await until(async () => (await page.locator('.row').count()) === 70, { timeoutMs: TIMEOUT_MS });
    } finally {
      await other.close();
    }
  });

  it('shows what a person has set and changes it, by keyboard, and says what the server refuses', async () => {
    const other = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    try {
      const page = await signIn(other, 'carol');
      const carol = await openJmap(platform.webUrl, 'carol@cellpost.test', 'demo');
      const section = (name: string) => page.getByRole('region', { name, exact: true });
      const said = (text: string): Promise<void> => page.getByRole('status').getByText(text).waitFor();
      const ask = async (type: string, args: Record<string, unknown> = {}) => {
        const [answer] = await carol.call([type, { accountId: carol.accountId, ...args }, '0']);
        return (answer?.[1].list as Record<string, unknown>[] | undefined)?.[0];
      };
      const focused = (text: string): Promise<void> =>
        page
          .locator(':focus')
          .and(page.getByText(text, { exact: true }))
          .waitFor();
      await page.getByRole('button', { name: 'Settings' }).press('Enter');
      await focused('Settings');

      await page.getByRole('radio', { name: /^Everyone/ }).press('ArrowDown');
      await said('Who may reach you: Friends of friends');
      assert.ok(await page.getByRole('radio', { name: /^Friends of friends/ }).isChecked());

      const rules = section('Rules');
      await rules.getByRole('button', { name: 'New rule' }).press('Enter');
      await page.locator('input[name=name]:focus').waitFor();
      await page.keyboard.type('Bills');
      await page.keyboard.press('Enter');
      await rules.getByRole('alert').getByText('It needs at least one condition').waitFor();
      await rules.getByLabel('Subject contains').fill('invoice');
      await rules.getByLabel('Move to').selectOption('Archive');
      await rules.getByLabel('Star it').press('Space');
      await page.keyboard.press('Enter');
      await rules.getByText('Mail with “invoice” in the subject goes to Archive and gets a star.').waitFor();
      assert.equal(await rules.getByRole('alert').count(), 0);
      await focused('New rule');
      await send({ from: 'bob@cellpost.test', subject: 'Your INVOICE', text: '1' }, 'carol@cellpost.test');
      await until(async () => (await carol.subjects('archive')).includes('Your INVOICE'), {
        timeoutMs: TIMEOUT_MS,
      });

      const senders = section('Senders');
      await senders.getByLabel('Mail from', { exact: true }).fill('Dan@Example.org');
      await senders.getByLabel('goes to', { exact: true }).selectOption('Junk');
      await senders.getByRole('button', { name: 'Add' }).press('Enter');
      const dan = senders.getByLabel('Mail from dan@example.org goes to');
      await dan.selectOption('Other');
      await said('Mail from dan@example.org goes to Other');
      assert.deepEqual((await ask('FilingSettings/get'))?.senders, { 'dan@example.org': 'other' });
      // What is said elsewhere is shown, too.
      const update = { singleton: { 'senders/fay@example.org': 'inbox' } };
      await ask('FilingSettings/set', { update });
      await senders.getByText('fay@example.org').waitFor();
      await senders.getByRole('button', { name: 'Remove dan@example.org' }).press('Enter');
      await dan.waitFor({ state: 'detached' });
      await focused('Senders');

      const blocked = section('Blocked senders');
      const block = blocked.getByLabel('Block an address or a domain');
      await block.fill('nobody');
      await block.press('Enter');
      await blocked.getByRole('alert').getByText('it is no email address').waitFor();
      for (const text of ['Eve@Example.org', '@spam.example']) {
        await block.fill(text);
        await block.press('Enter');
        await blocked.getByRole('button', { name: `Remove ${text.toLowerCase()}` }).waitFor();
      }
      await blocked.getByRole('button', { name: 'Remove eve@example.org' }).press('Enter');
      await said('eve@example.org is not blocked any more');
      const mute = section('Do not notify me').getByLabel('Do not announce mail from');
      await mute.fill('news@example.org');
      await mute.press('Enter');
      await said('Mail from news@example.org is not announced');
      assert.deepEqual(await ask('PrivacySettings/get'), {
        id: 'singleton',
        reach: 'friendsOfFriends',
        blockedAddresses: [],
        blockedDomains: ['spam.example'],
        mutedSenders: ['news@example.org'],
        mutedThreads: [],
      });

      await rules.getByRole('button', { name: 'Remove rule Bills' }).press('Enter');
      await said('Rule removed');
      await focused('Rules');
      await page.keyboard.press('Escape');
      await page.getByRole('heading', { name: 'Inbox' }).waitFor();
      await page.locator('[aria-label=Settings]:focus').waitFor();

      // A conversation is muted where it is read.
      await page.locator('.row', { hasText: 'Number 6' }).first().locator('.open').click();
      await page.getByRole('button', { name: 'Do not notify me' }).click();
      await said('Mail in this conversation is not announced');
      await page.getByRole('button', { name: 'Settings' }).click();
      await section('Do not notify me')
        .getByRole('button', { name: /Remove Number 6/ })
        .click();
      await said('is announced again');
      assert.deepEqual((await ask('PrivacySettings/get'))?.mutedThreads, []);
    } finally {
      await other.close();
    }
  });

  it('fits a phone: one pane at a time', async () => {
    const phone = await browser.newContext({ viewport: { width: 390, height: 844 }, hasTouch: true });
    try {
      const page = await signIn(phone, 'alice');
      await page.locator('.row', { hasText: 'Needle' }).locator('.open').tap();
      await page.locator('.plain').getByText('a quokka in the haystack').waitFor();
      await page.getByRole('button', { name: 'Back to the list' }).tap();
      await page.locator('.row', { hasText: 'Needle' }).waitFor();
      const isWider = await page
        .locator('html')
        .evaluate((element) => element.scrollWidth > element.clientWidth);
      assert.equal(isWider, false);
    } finally {
      await phone.close();
    }
  });

  it('carries an action over the crash of an app server', async () => {
    const where = await platform.cellctl<{ node: string }>('where', 'alice@cellpost.test');
    const nodes = await platform.cellctl<{ node: string; pid: number }[]>('nodes');
    const owner = nodes.find((node) => node.node === where.node);
    assert.ok(owner);
    process.kill(owner.pid, 'SIGKILL');
    await row('Needle').getByRole('button', { name: 'Star' }).click();
    const alice = await openJmap(platform.webUrl, 'alice@cellpost.test', 'demo');
    await until(
      async () => {
        const filter = { hasKeyword: '$flagged', subject: 'Needle' };
        const query = ['Email/query', { accountId: alice.accountId, filter }, '0'] as const;
        const [response] = await alice.call([...query]);
        return Array.isArray(response?.[1].ids) && response[1].ids.length === 1;
      },
      { timeoutMs: TIMEOUT_MS, what: 'the star to be kept' },
    );
    await row('Needle').getByRole('button', { pressed: true }).waitFor();
    await page.getByLabel('Connected', { exact: true }).waitFor();
    await send({ subject: 'After the crash', text: 'still here' });
    await row('After the crash').waitFor();
  });

  it('keeps no credentials in cookies, and none after signing out', async () => {
    assert.deepEqual(await context.cookies(), []);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  });
});

/** One transparent pixel. */
const DOT =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';

type Elsewhere = { url: string; requests: string[]; close(): Promise<void> };

/** A server of somebody else's, that remembers what it was asked for. */
async function startElsewhere(): Promise<Elsewhere> {
  const requests: string[] = [];
  const server: Server = createServer((request, response) => {
    requests.push(request.url ?? '');
    response.setHeader('content-type', 'image/png');
    response.end(Buffer.from(DOT, 'base64'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    requests,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Everything that we know of to make a message act. */
function hostile(elsewhere: string): string {
  const act = "top.pwned=1;parent.pwned=1;window.pwned=1;alert('pwned');fetch('/jmap/session')";
  return `<!doctype html><html><head>
    <base href="${elsewhere}/base/">
    <meta http-equiv="refresh" content="0;url=${elsewhere}/refresh">
    <link rel="stylesheet" href="${elsewhere}/style.css">
    <style>@import url(${elsewhere}/import.css); body { background: url(${elsewhere}/image-css.png) }
      @font-face { font-family: f; src: url(${elsewhere}/font.woff) } p { font-family: f, sans-serif }</style>
    <script>${act}</script><script src="${elsewhere}/script.js"></script></head>
    <body onload="${act}" background="${elsewhere}/image-background.png">
    <p class="styled" style="color: rgb(1, 2, 3)">Dear Alice,</p>
    <img src="${elsewhere}/image-plain.png" onerror="${act}"><img src=x onerror="${act}">
    <img srcset="${elsewhere}/image-set.png 2x"><video src="${elsewhere}/video" poster="${elsewhere}/poster"></video>
    <svg onload="${act}"><script>${act}</script><image href="${elsewhere}/svg.png"/></svg>
    <iframe src="${elsewhere}/frame"></iframe><iframe srcdoc="<script>${act}</script>"></iframe>
    <object data="${elsewhere}/object"></object><embed src="${elsewhere}/embed">
    <form action="${elsewhere}/form"><input name="password" autofocus onfocus="${act}"><button>Sign in</button></form>
    <a href="javascript:${act}">bad link</a> <a href="https://example.org/">good link</a>
    <a href="${elsewhere}/ping-target" ping="${elsewhere}/ping">ping</a>
    <div onclick="${act}" onmouseover="${act}" style="position:fixed;inset:0;pointer-events:none;background:url('${elsewhere}/image-div.png')"></div>
    <template><script>${act}</script></template><noscript><p title="</noscript><img src=x onerror=${act}>"></p></noscript>
    <details open ontoggle="${act}">The end of it.</details>
    <math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=${act}&gt;"></math></body></html>`;
}
