// As much of HTTP as a benchmark needs to ask a server small questions: requests go out in one write each, answers with a
// Content-Length come back in order. A general client would cost the asker more time than the answer takes.
import { createConnection, type Socket } from 'node:net';

type Waiting = { resolve: (body: string) => void; reject: (error: Error) => void };

export class HttpConnection {
  readonly #socket: Socket;
  readonly #head: string;
  readonly #waiting: Waiting[] = [];
  #rest = '';

  constructor(port: number, authorization: string) {
    this.#head = ` HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: ${authorization}\r\n\r\n`;
    this.#socket = createConnection({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (chunk) => this.#read(chunk.toString('latin1')));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('The connection was closed.')));
  }

  /** @returns the body of an answer 200 */
  get(path: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(`GET ${path}${this.#head}`, 'latin1');
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(text: string): void {
    this.#rest += text;
    for (let end = this.#rest.indexOf('\r\n\r\n'); end >= 0; end = this.#rest.indexOf('\r\n\r\n')) {
      const head = this.#rest.slice(0, end);
      const bodyEnd = end + 4 + Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
      if (this.#rest.length < bodyEnd) return;
      const waiting = this.#waiting.shift();
      if (head.startsWith('HTTP/1.1 200 ')) waiting?.resolve(this.#rest.slice(end + 4, bodyEnd));
      else waiting?.reject(new Error(`It answers ${head.slice(0, 40)}`));
      this.#rest = this.#rest.slice(bodyEnd);
    }
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
