// HTTP without sockets: a request goes to an app as Node would hand it over, and what would go out is heard as it is written.
import { IncomingMessage, ServerResponse, type RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

export type HttpRequest = {
  method: 'GET' | 'POST';
  path: string;
  authorization?: string | undefined;
  /** Goes as JSON. */
  body?: unknown;
};

export type Listener = {
  /** Something goes out: of a stream, an event; of anything else, all at once. */
  said(status: number, text: string): void;
  /** Nothing more will. */
  done(status: number, body: string): void;
};

/** What the other side of the connection is to the server. */
class Wire extends Duplex {
  readonly #heard: (text: string) => void;

  constructor(heard: (text: string) => void) {
    super();
    this.#heard = heard;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#heard(chunk.toString());
    done();
  }
}

/** @returns what the client does that wants to hear no more */
export function sendTo(app: RequestListener, asked: HttpRequest, { said, done }: Listener): () => void {
  let all = '';
  const wire = new Wire((text) => {
    all += text;
    said(response.statusCode, text);
  });
  // Of a socket, nothing is used here that any stream does not have.
  const request = new IncomingMessage(wire as unknown as Socket);
  const body = asked.body === undefined ? '' : JSON.stringify(asked.body);
  request.method = asked.method;
  request.url = asked.path;
  request.headers = {
    host: 'simulated',
    ...(asked.authorization !== undefined && { authorization: asked.authorization }),
    ...(body && { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
  };
  // Of HTTP/1.0, answers are not chunked.
  request.httpVersion = '1.0';
  request.httpVersionMajor = 1;
  request.httpVersionMinor = 0;
  request.complete = true;
  if (body) request.push(body);
  request.push(null);
  const response = new ServerResponse(request);
  response.assignSocket(wire as unknown as Socket);
  response.once('finish', () => {
    response.detachSocket(wire as unknown as Socket);
    response.emit('close');
    done(response.statusCode, all.slice(all.indexOf('\r\n\r\n') + 4));
  });
  app(request, response);
  return () => wire.destroy();
}
