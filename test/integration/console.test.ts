// The console in a real browser, over a platform at work: what moves, what is named when a process hangs, and that everything can
// be read at 1280x800. CELLPOST_SCREENSHOTS names a folder that gets pictures.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import nodemailer from 'nodemailer';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { readNote } from '../../embedded/home.ts';
import type { LoadView } from '../../workloads/console/load-view.ts';
import { browserMissing, startBrowser } from '../support/browser.ts';
import { cellctlOutput } from '../support/cellctl.ts';
import { openJmap } from '../support/jmap.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';
import { until } from '../support/wait.ts';
import { serveLargePlatform } from '../support/large-platform.ts';

const TIMEOUT_MS = 30_000;
const WAIT = { timeoutMs: TIMEOUT_MS };
/** Often, so that what takes some looks takes little time. */
const INTERVAL_MS = 300;
const PAUSE_MS = 25;

let platform: PlatformUnderTest;
let consoleUrl = '';
let link = '';
let token = '';
const ended = new AbortController();
let load: Promise<void>;

/** Mail for alice, and reading of it, until the tests end. What a hanging server makes fail is no matter here. */
async function work(): Promise<void> {
  const { smtpPort: port, webUrl } = platform;
  const transport = nodemailer.createTransport({ host: '127.0.0.1', port, socketTimeout: 2_000 });
  const readers = await Promise.all(
    ['alice', 'bob', 'carol'].map((name) => openJmap(webUrl, `${name}@cellpost.test`, 'demo')),
  );
  const mail = { from: 'you@example.org', to: 'alice@cellpost.test', text: 'x'.repeat(500) };
  for (let i = 0; !ended.signal.aborted; i++) {
    const doing = [
      transport.sendMail({ ...mail, subject: `mail ${i}` }),
      ...readers.map((one) => one.subjects()),
    ];
    await Promise.race([Promise.allSettled(doing), new Promise((resolve) => setTimeout(resolve, 2_000))]);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  transport.close();
}

const ask = (authorization: string): Promise<Response> =>
  fetch(`${consoleUrl}/v1/load`, { headers: { authorization } });
const look = async (secret = token): Promise<LoadView> =>
  (await (await ask(`Bearer ${secret}`)).json()) as LoadView;

before(async () => {
  platform = await startPlatform({ CELLPOST_CONSOLE_INTERVAL_MS: String(INTERVAL_MS) });
  link = /Console\s+(http:\S+)$/m.exec(platform.output.join('\n'))?.[1] ?? '';
  consoleUrl = readNote(platform.home)?.consoleUrl ?? '';
  token = readFileSync(join(platform.home, 'token'), 'utf8').trim();
  load = work();
  load.catch(() => undefined);
});
after(async () => {
  ended.abort();
  await load?.catch(() => undefined);
  await platform?.[Symbol.asyncDispose]();
});

describe('GET /v1/load', () => {
  it('tells of every process of the platform', async () => {
    const view = await until(async () => {
      const seen = await look();
      return seen.totals.appendsPerSecond > 0 && seen.users.length > 0 ? seen : undefined;
    }, WAIT);
    assert.deepEqual(
      view.cells.map(({ name, nodes }) => [name, ...nodes.map((node) => node.name)]),
      [
        ['a', 'a-0', 'a-1'],
        ['b', 'b-0', 'b-1'],
      ],
    );
    assert.deepEqual(
      view.services.map(({ name }) => name),
      ['discovery', 'memcache-dirty', 'mta-proxy', 'user-index', 'web'],
    );
    for (const { name, problem, memoryBytes } of [
      ...view.cells.flatMap(({ nodes }) => nodes),
      ...view.services,
    ]) {
      assert.equal(problem, null, name);
      assert.ok((memoryBytes ?? 0) > 1e7, name);
    }
    for (const stage of ['parse', 'deliver', 'append', 'sqlite/append'])
      assert.ok(
        view.stages.some((one) => one.stage === stage),
        stage,
      );
    assert.ok(view.users[0]?.userId, 'the busiest user');
  });

  it('answers holders of the token or the key only, and tells who users are to those of the token', async () => {
    const key = new URL(link).hash.replace('#key=', '');
    const basic = (secret: string): string => `Basic ${Buffer.from(`x:${secret}`).toString('base64')}`;
    for (const wrong of ['', 'Bearer x', `Bearer ${key}x`, basic(''), basic('demo')])
      assert.equal((await ask(wrong)).status, 401, wrong);
    assert.equal((await ask(basic(key))).status, 200);
    const ids = (await look()).users.map(({ userId }) => userId);
    const hidden = JSON.stringify(await look(key));
    assert.ok(ids.length > 0);
    for (const id of ids) assert.ok(id !== null && !hidden.includes(id));
    const [node] = (await look()).cells[0]?.nodes ?? [];
    assert.equal((await fetch(`${node?.url}/load`)).status, 401, 'nor does an app server tell anybody else');
  });
});

describe('cellctl top', () => {
  it('prints what the console sees', async () => {
    const env = { CELLPOST_HOME: platform.home };
    const text = await cellctlOutput(['top', '--once'], env);
    assert.match(text, /^\d\d:\d\d:\d\d {2}[\d.]+ requests\/s, /);
    assert.match(text, /^CELL +PROCESS +STATE +SHARE +REQ\/S/m);
    assert.match(text, /^a +a-0 +serving +\d+% +[\d.]+ /m);
    assert.match(text, /^app-server +SQLite append +[\d.]+ +[\d.]+ /m);
    assert.equal((await platform.cellctl<LoadView>('top')).cells.length, 2);
    assert.equal((await cellctlOutput(['top', '--link'], env)).trim(), link);
  });
});

describe('the console page', { skip: browserMissing() }, () => {
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;

  before(async () => {
    browser = await startBrowser();
    context = await newContext('light');
    page = await open(context, link);
  });
  after(() => browser?.close());

  const newContext = (colorScheme: 'light' | 'dark'): Promise<BrowserContext> =>
    browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme });

  async function open(context: BrowserContext, url: string): Promise<Page> {
    const page = await context.newPage();
    page.setDefaultTimeout(TIMEOUT_MS);
    page.on('pageerror', (error) => assert.fail(error));
    await page.goto(url);
    return page;
  }

  /**
   * Nothing is wider than the window, no text wider or higher than what holds it, but where it is cut on purpose, and then it
   * is told in full when it is pointed at; and nothing lies over anything else.
   */
  async function expectFit(page: Page, picture: string): Promise<void> {
    const folder = process.env.CELLPOST_SCREENSHOTS;
    if (folder) await page.screenshot({ path: join(folder, `${picture}.png`) });
    const wrong: unknown = await page.evaluate(`(() => {
      const blocks = [document.documentElement, ...document.querySelectorAll('header *, main *')]
        .filter((element) => !element.closest('svg') && getComputedStyle(element).display !== 'inline');
      const tell = (what, element) => what + ' ' + element.tagName + ': ' + element.textContent.slice(0, 60);
      const cut = blocks.filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth && clientWidth > 0);
      const low = blocks
        .filter((element) => element !== document.documentElement)
        .filter(({ scrollHeight, clientHeight }) => scrollHeight > clientHeight + 1 && clientHeight > 0);
      const parts = [...document.querySelectorAll('header, [role=region], section, tr, h2, .total')];
      const lies = [];
      for (const one of parts) {
        for (const other of one.parentElement.children) {
          if (other === one) break;
          const [a, b] = [one.getBoundingClientRect(), other.getBoundingClientRect()];
          const [across, down] = [
            Math.min(a.right, b.right) - Math.max(a.left, b.left),
            Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top),
          ];
          if (across > 1 && down > 1) lies.push(one);
        }
      }
      return [
        ...cut.filter((element) => !element.classList.contains('cut')).map((one) => tell('too wide', one)),
        ...cut
          .filter((element) => element.classList.contains('cut') && !element.title)
          .map((one) => tell('cut and told nowhere', one)),
        ...low.map((one) => tell('too high', one)),
        ...lies.map((one) => tell('over another', one)),
      ];
    })()`);
    assert.deepEqual(wrong, []);
  }

  /** All of it can be seen at once, without scrolling. */
  async function expectSeen(page: Page, ...parts: Locator[]): Promise<void> {
    const { width, height } = page.viewportSize() ?? { width: 0, height: 0 };
    for (const part of parts) {
      await part.waitFor();
      const box = await part.boundingBox();
      assert.ok(
        box && box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height,
        `${String(part)} is at ${JSON.stringify(box)}`,
      );
    }
  }

  const region = (page: Page, name: string): Locator => page.getByRole('region', { name });
  const stage = (page: Page, name: RegExp): Locator =>
    region(page, 'Latency by stage').getByRole('row', { name }).first();

  const banner = () => page.getByRole('region', { name: 'Bottleneck' });
  const row = (name: string) => page.getByRole('row', { name: new RegExp(`^${name} `) });

  it('opens by the printed link, and keeps no key in its address', async () => {
    await row('Cell a').waitFor();
    for (const name of ['a-0', 'a-1', 'b-0', 'b-1', 'discovery', 'mta-proxy', 'web', 'user-index'])
      await row(name).waitFor();
    assert.equal(page.url(), `${consoleUrl}/console`);
    await page.getByText("Who they are is told to whoever shows the platform's token.").waitFor();
  });

  it('shows rates that move', async () => {
    const requests = page.getByRole('region', { name: 'Totals' }).locator('p').first();
    const seen = new Set<string>();
    await until(async () => {
      const text = (await requests.textContent()) ?? '';
      if (Number(text) > 0) seen.add(text);
      return seen.size >= 2;
    }, WAIT);
    const append = page
      .getByRole('region', { name: 'Latency by stage' })
      .getByRole('row', { name: /^append / });
    assert.match((await append.textContent()) ?? '', /^\s*append\s*[\d.]+\s*[\d.]+/);
    // Of mail as small as it is here no part goes to the blob store.
    for (const name of [/^parse /, /^index /, /^append /, /^SQLite append /, /^ZooKeeper /])
      await expectSeen(page, stage(page, name));
    await expectSeen(
      page,
      ...['Bottleneck', 'Totals', 'Cells', 'Latency by stage', 'Busiest users'].map((name) =>
        region(page, name),
      ),
      page.getByRole('img', { name: 'Buckets of each cell' }),
      ...['Share', 'Req/s', 'Err/s', 'p99'].map((name) =>
        region(page, 'Cells').getByText(name, { exact: true }),
      ),
    );
    await expectFit(page, 'console-light');
  });

  it('lets in by the platform token, and refuses what is wrong', async () => {
    const other = await newContext('dark');
    try {
      const page = await open(other, `${consoleUrl}/`);
      const field = page.getByLabel('Console key or platform token');
      await field.fill('wrong');
      await page.getByRole('button', { name: 'Open' }).click();
      await page.getByText('This opens nothing here.').waitFor();
      await field.fill(token);
      await page.getByRole('button', { name: 'Open' }).click();
      const [busiest] = (await look()).users;
      await page
        .getByRole('region', { name: 'Busiest users' })
        .getByText(busiest?.userId ?? '?')
        .waitFor();
      await expectFit(page, 'console-dark');
    } finally {
      await other.close();
    }
  });

  it('names an app server that hangs, since when, until it is back', async () => {
    const [node] = (await look()).cells[0]?.nodes ?? [];
    const answer = await fetch(`${node?.url}/node`, { headers: { authorization: `Bearer ${token}` } });
    const { pid } = (await answer.json()) as { pid: number };
    process.kill(pid, 'SIGSTOP');
    try {
      await banner()
        .getByText(/^app-server a-0: it does not answer: .+, since \d\d:\d\d:\d\d$/)
        .waitFor();
      await row('a-0').getByText('lost').waitFor();
      await expectFit(page, 'console-hanging');
      assert.match((await look()).bottleneck ?? '', /^app-server a-0: it does not answer: /);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await row('a-0').getByText('serving').waitFor();
    await until(async () => !((await banner().textContent()) ?? '').includes('a-0: it'), WAIT);
  });

  it('says so when the console itself is away', async () => {
    await context.route('**/v1/load', (route) => route.abort());
    await page.getByText('The console does not answer.').waitFor();
    await context.unroute('**/v1/load');
    await page.getByText(/^as of/).waitFor();
  });

  it('can be read with 20 cells at work, half of them in trouble', async () => {
    await using large = await serveLargePlatform();
    for (const scheme of ['light', 'dark'] as const) {
      const context = await newContext(scheme);
      try {
        const page = await open(context, `${large.url}/console#key=any`);
        const cells = region(page, 'Cells').locator('tr.cell .cut');
        await cells.nth(19).waitFor();
        assert.equal(new Set(await cells.allTextContents()).size, 20, 'names can be told apart');
        const cutNames: unknown = await page.evaluate(`
          [...document.querySelectorAll('tr.cell .cut')]
            .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
            .map(({ textContent }) => textContent)`);
        assert.deepEqual(cutNames, []);
        const stages = [/^parse /, /^blob /, /^index /, /^append /, /^HBase /, /^ZooKeeper /];
        await expectSeen(
          page,
          region(page, 'Bottleneck'),
          region(page, 'Bottleneck').getByText(/since/).last(),
          region(page, 'Totals'),
          page.getByRole('img', { name: 'Buckets of each cell' }),
          cells.first(),
          ...stages.map((name) => stage(page, name)),
          ...[1, 2, 3].map((row) => region(page, 'Busiest users').getByRole('row').nth(row)),
        );
        await expectFit(page, `console-large-${scheme}`);
      } finally {
        await context.close();
      }
    }
  });
});
