// A name server of a test, on 127.0.0.1: it knows what the test tells it, over UDP and, for long answers, TCP.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import {
  decode,
  encode,
  RECURSION_AVAILABLE,
  streamDecode,
  streamEncode,
  TRUNCATED_RESPONSE,
  type Answer,
  type Packet,
} from 'dns-packet';

/** RFC 1035 section 4.2.1, without EDNS. */
const MAX_UDP_BYTES = 512;
const SERVFAIL = 2;
const NXDOMAIN = 3;

export class DnsServer {
  readonly #udp: Socket;
  readonly #tcp: Server;
  readonly #answers = new Map<string, Answer[]>();
  /** Each question that came, as `TXT name`. */
  readonly questions: string[] = [];
  /** Names that end so are answered by SERVFAIL; by nothing at all. */
  failing = '.servfail.test';
  silent = '.silent.test';
  readonly address: string;

  private constructor(udp: Socket, tcp: Server) {
    this.#udp = udp;
    this.#tcp = tcp;
    this.address = `127.0.0.1:${udp.address().port}`;
    udp.on('message', (message, { port, address }) => {
      const reply = this.#reply(decode(message));
      if (!reply) return;
      const bytes = encode(reply);
      const fits = bytes.length <= MAX_UDP_BYTES;
      const flags = (reply.flags ?? 0) | TRUNCATED_RESPONSE;
      udp.send(fits ? bytes : encode({ ...reply, flags, answers: [] }), port, address);
    });
    tcp.on('connection', (socket) => {
      let received = Buffer.alloc(0);
      socket.on('error', () => socket.destroy());
      socket.on('data', (chunk) => {
        received = Buffer.concat([received, chunk]);
        if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
        const reply = this.#reply(streamDecode(received));
        if (reply) socket.end(streamEncode(reply));
      });
    });
  }

  static async start(): Promise<DnsServer> {
    const tcp = createServer().listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    const at = tcp.address();
    if (at === null || typeof at === 'string') throw new Error('a TCP server without a port');
    const udp = createSocket('udp4').bind(at.port, '127.0.0.1');
    await once(udp, 'listening');
    return new DnsServer(udp, tcp);
  }

  txt(name: string, ...texts: string[]): void {
    this.#answers.set(
      `TXT ${name}`,
      // Strings of up to 255 bytes make up a longer one.
      texts.map((text) => ({ type: 'TXT', name, ttl: 60, data: text.match(/.{1,255}/gs) ?? [''] })),
    );
  }

  close(): void {
    this.#udp.close();
    this.#tcp.close();
  }

  #reply(query: Packet): Packet | undefined {
    const [question] = query.questions ?? [];
    if (!question) return undefined;
    const name = question.name.toLowerCase();
    this.questions.push(`${question.type} ${name}`);
    if (name.endsWith(this.silent)) return undefined;
    const answers = this.#answers.get(`${question.type} ${name}`) ?? [];
    const isKnown = [...this.#answers.keys()].some((key) => key.endsWith(` ${name}`));
    const code = name.endsWith(this.failing) ? SERVFAIL : isKnown ? 0 : NXDOMAIN;
    return {
      type: 'response',
      id: query.id ?? 0,
      flags: RECURSION_AVAILABLE | code,
      questions: [question],
      answers,
    };
  }
}
