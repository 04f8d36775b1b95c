// `cellctl top` as a person sees it: at a terminal of some size, until a key is pressed.
import assert from 'node:assert/strict';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { works } from '../../images/command.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';
import { until } from '../support/wait.ts';

const WAIT = { timeoutMs: 30_000, intervalMs: 20 };
/** What a terminal is told: the alternate screen without a cursor, and back; the start of a picture; what clears. */
const ENTER = '\u001B[?1049h\u001B[?25l';
const LEAVE = '\u001B[?25h\u001B[?1049l';
const HOME = '\u001B[H';
const CLEAR = ['\u001B[K', '\u001B[J'];
const CTRL_C = '\u0003';

// Of util-linux: others take the command in another way.
const skip = (await works('script', ['--version'])) ? false : 'there is no script (util-linux) here';

let platform: PlatformUnderTest;

before(async () => {
  platform = await startPlatform({ CELLPOST_CONSOLE_INTERVAL_MS: '200' });
});
after(async () => {
  for (const terminal of terminals) terminal.kill();
  await platform?.[Symbol.asyncDispose]();
});

const terminals: Terminal[] = [];

/** `cellctl top` at a terminal of its own, whose settings are told when it has ended. */
class Terminal {
  readonly #script: ChildProcessWithoutNullStreams;
  text = '';

  constructor(columns: number, rows: number, env: NodeJS.ProcessEnv = { CELLPOST_HOME: platform.home }) {
    const top = `'${process.execPath}' cli/cellctl.ts top`;
    const command = `stty cols ${columns} rows ${rows}; tty; ${top}; echo "ended with $?"; stty -a`;
    this.#script = spawn('script', ['-qec', command, '/dev/null'], { env: { ...process.env, ...env } });
    terminals.push(this);
    this.#script.stdout.on('data', (chunk: Buffer) => (this.text += chunk.toString('utf8')));
  }

  press(key: string): void {
    this.#script.stdin.write(key);
  }

  /** The last whole picture, line by line; the terminal itself adds a return to each. */
  get picture(): string[] {
    const pictures = this.text.split(HOME).slice(1);
    const whole = pictures.findLast((one) => one.includes(CLEAR[1] ?? ''));
    const [shown = ''] = whole?.split(CLEAR[1] ?? '') ?? [];
    return shown
      .replaceAll(CLEAR[0] ?? '', '')
      .split(/\r*\n/)
      .slice(0, -1);
  }

  get pictures(): number {
    return this.text.split(HOME).length - 1;
  }

  /** Another size, as when somebody drags the window's edge. */
  async resize(columns: number, rows: number): Promise<void> {
    const [, device = ''] = /^(\/dev\/\S+)/m.exec(this.text) ?? [];
    const stty = spawn('stty', ['-F', device, 'cols', String(columns), 'rows', String(rows)]);
    await once(stty, 'exit');
  }

  /** Waits for the end, and expects the terminal to be as it was. */
  async ends(): Promise<void> {
    await until(() => /ended with \d+[^]*echoke/.test(this.text), { ...WAIT, what: `the end; ${this.text}` });
    const [, after = ''] = this.text.split(LEAVE);
    assert.match(after, /^\s*ended with 0\r\n/, 'the screen is given back, and nothing is said');
    assert.match(after, /(?<!-)icanon/);
    assert.match(after, /(?<!-)isig/);
    assert.match(after, /(?<!-)echo /);
    this.#script.stdin.end();
    if (this.#script.exitCode === null) await once(this.#script, 'exit');
  }

  kill(): void {
    this.#script.kill('SIGKILL');
  }
}

async function open(columns: number, rows: number): Promise<Terminal> {
  const terminal = new Terminal(columns, rows);
  await until(() => terminal.picture.some((line) => line.includes('CELL')), {
    ...WAIT,
    what: 'a picture',
  });
  return terminal;
}

test('it shows everything on a large terminal, again and again, until q is pressed', { skip }, async () => {
  const terminal = await open(160, 60);
  const lines = await until(
    () => (terminal.picture.some((line) => line.startsWith('USER')) ? terminal.picture : undefined),
    WAIT,
  );
  assert.match(lines[0] ?? '', /^\d\d:\d\d:\d\d {2}[\d.]+ requests\/s, /);
  for (const start of ['CELL ', 'a ', 'WORKLOAD ', 'USER '])
    assert.ok(
      lines.some((line) => line.startsWith(start)),
      start,
    );
  const seen = terminal.pictures;
  await until(() => terminal.pictures >= seen + 3, WAIT);
  assert.ok(terminal.text.includes(ENTER));
  assert.ok(!terminal.text.includes(LEAVE));
  terminal.press('x');
  terminal.press('q');
  await terminal.ends();
});

test(
  'on a narrow one no line is broken and nothing scrolls, also when its size changes; Ctrl-C ends it',
  { skip },
  async () => {
    const terminal = await open(40, 12);
    const fits = (columns: number, rows: number): boolean =>
      terminal.picture.length < rows && terminal.picture.every((line) => line.length <= columns);
    assert.ok(fits(40, 12), terminal.picture.join('\n'));
    assert.match(
      terminal.picture.slice(0, 2).join(' '),
      /^\d\d:\d\d:\d\d {2}[\d.]+ requests\/s, .*, p99 \S+ ms$/,
    );
    assert.ok(terminal.picture.some((line) => line.length === 40));
    await terminal.resize(20, 5);
    await until(() => fits(20, 5), { ...WAIT, what: 'a smaller picture' });
    await terminal.resize(100, 30);
    await until(() => terminal.picture.some((line) => line.length > 60), { ...WAIT, what: 'a larger one' });
    assert.ok(fits(100, 30));
    terminal.press(CTRL_C);
    await terminal.ends();
  },
);

test('it says why there is nothing to see, and ends at once though the console hangs', { skip }, async () => {
  let asked = 0;
  const silent = createServer(() => asked++).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const address = silent.address();
  const url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  const env = {
    CELLPOST_DISCOVERY_URL: url,
    CELLPOST_CONSOLE_URL: url,
    CELLPOST_PLATFORM_TOKEN: 'a token of tests',
  };
  const terminal = new Terminal(80, 24, env);
  try {
    await until(() => asked === 1 && terminal.picture.length > 0, WAIT);
    assert.deepEqual(terminal.picture, ['Looking …']);
    silent.closeAllConnections();
    await until(() => terminal.picture[0]?.startsWith('The console does not answer at http'), WAIT);
    await until(() => asked === 2, WAIT);
    const pressedAt = performance.now();
    terminal.press(CTRL_C);
    await terminal.ends();
    assert.ok(performance.now() - pressedAt < 8_000, 'it does not wait for the answer');
  } finally {
    silent.closeAllConnections();
    silent.close();
  }
});
