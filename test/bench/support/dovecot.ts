// Dovecot as a peer: a mailbox in Maildir, read over IMAP on the loopback interface by processes of this user.
import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../support/free-port.ts';
import { installMissing } from '../../support/debian.ts';
import { until } from '../../support/wait.ts';

const DOVECOT = '/usr/sbin/dovecot';
const PASSWORD = 'demo';

export type Dovecot = {
  pid: number;
  /** Makes a user whose inbox has these messages, in this order. */
  fill(user: string, messages: Iterable<{ bytes: Uint8Array; timeMs: number }>): Promise<void>;
  open(user: string): Promise<ImapConnection>;
  close(): Promise<void>;
};

/** @throws Error when Dovecot is not there and can't be installed */
export async function startDovecot(): Promise<Dovecot> {
  const missing = await installMissing({ [DOVECOT]: 'dovecot-imapd' });
  if (missing.length > 0) throw new Error(`this benchmark needs Debian's ${missing.join(', ')}`);
  const folder = await mkdtemp(join(tmpdir(), 'cellpost-dovecot-'));
  // Its processes run as several users.
  await chmod(folder, 0o755);
  const port = await freePort();
  const { username, gid } = userInfo();
  const group = await groupName(gid);
  const config = join(folder, 'dovecot.conf');
  await writeFile(config, configuration({ folder, port, username, group }));
  const master: ChildProcess = spawn(DOVECOT, ['-F', '-c', config], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => master.once('exit', () => resolve()));
  const close = async (): Promise<void> => {
    master.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until(
      async () => {
        const probe = await ImapConnection.open(port).catch(() => undefined);
        probe?.close();
        return probe !== undefined;
      },
      { timeoutMs: 20_000, what: 'Dovecot to listen' },
    );
  } catch (error) {
    await close();
    throw error;
  }
  return {
    pid: master.pid ?? 0,
    async fill(user, messages) {
      const inbox = join(folder, 'mail', user);
      for (const name of ['', 'cur', 'new', 'tmp']) {
        await mkdir(join(inbox, name), { recursive: true });
        await chmod(join(inbox, name), 0o777);
      }
      let number = 0;
      for (const { bytes, timeMs } of messages) {
        const name = `${Math.floor(timeMs / 1000)}.M${number}P1.localhost,S=${bytes.length}:2,S`;
        await writeFile(join(inbox, 'cur', name), bytes);
        number++;
      }
    },
    async open(user) {
      const connection = await ImapConnection.open(port);
      await connection.command(`LOGIN ${user} ${PASSWORD}`);
      return connection;
    },
    close,
  };
}

/** Dovecot's own users can be used by root only. */
function servedBy(username: string, group: string): string {
  return `default_login_user = ${username}
default_internal_user = ${username}
default_internal_group = ${group}`;
}

async function groupName(gid: number): Promise<string> {
  const lines = (await readFile('/etc/group', 'utf8')).split('\n');
  return lines.find((line) => line.split(':')[2] === `${gid}`)?.split(':')[0] ?? `${gid}`;
}

function configuration(at: { folder: string; port: number; username: string; group: string }): string {
  const { folder, port, username, group } = at;
  return `
base_dir = ${folder}/run
state_dir = ${folder}/run
log_path = ${folder}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
first_valid_uid = 0
first_valid_gid = 0
${username === 'root' ? '' : servedBy(username, group)}
mail_location = maildir:${folder}/mail/%u
mail_uid = ${username === 'root' ? 'mail' : username}
mail_gid = ${username === 'root' ? 'mail' : group}
passdb {
  driver = static
  args = password=${PASSWORD}
}
userdb {
  driver = static
  args = home=/nonexistent
}
service imap-login {
  chroot =
  inet_listener imap {
    port = ${port}
  }
  inet_listener imaps {
    port = 0
  }
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
`;
}

/** As much of an IMAP client as it takes to send a command and wait for its end. */
class ImapConnection {
  readonly #socket: Socket;
  #text = '';
  #tag = 0;
  #waiting: { tag: string; resolve: (text: string) => void; reject: (error: Error) => void } | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1').on('data', (text: Buffer | string) => this.#take(String(text)));
    for (const event of ['error', 'close'])
      socket.on(event, () => this.#waiting?.reject(new Error('the IMAP connection was lost')));
  }

  static async open(port: number): Promise<ImapConnection> {
    const socket = connect(port, '127.0.0.1');
    const connection = new ImapConnection(socket);
    await connection.#answer('*');
    return connection;
  }

  /** @returns all of the answer @throws Error when it is not OK */
  async command(text: string): Promise<string> {
    const tag = `a${++this.#tag}`;
    const answer = this.#answer(tag);
    this.#socket.write(`${tag} ${text}\r\n`);
    const whole = await answer;
    if (!whole.includes(`${tag} OK`)) throw new Error(`${text}: ${whole.slice(-200)}`);
    return whole;
  }

  #answer(tag: string): Promise<string> {
    return new Promise((resolve, reject) => (this.#waiting = { tag, resolve, reject }));
  }

  #take(text: string): void {
    this.#text += text;
    const waiting = this.#waiting;
    if (!waiting || !this.#text.endsWith('\r\n')) return;
    const lastLine = this.#text.lastIndexOf('\r\n', this.#text.length - 3) + 1;
    if (!this.#text.startsWith(waiting.tag, lastLine === 0 ? 0 : lastLine + 1)) return;
    const whole = this.#text;
    this.#text = '';
    this.#waiting = undefined;
    waiting.resolve(whole);
  }

  close(): void {
    this.#waiting = undefined;
    this.#socket.destroy();
  }
}
