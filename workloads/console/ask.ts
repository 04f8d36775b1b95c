// One bounded question over HTTP: a deadline, and no more than so many bytes of an answer.
import { request } from 'undici';

/** An app server's metrics take about 100 KB, a map of thousands of cells some MB. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
/** Whoever has not answered by then is taken for one that does not. */
const DEADLINE_MS = 1_500;

/** @throws in one short sentence why there is no answer */
export async function ask(
  url: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<string> {
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  try {
    const { statusCode, body } = await request(url, { headers, signal: AbortSignal.any([signal, deadline]) });
    // That we end it is no error.
    body.on('error', () => undefined);
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_ANSWER_BYTES) {
        body.destroy();
        throw new Error(`its answer has more than ${MAX_ANSWER_BYTES} bytes`);
      }
      chunks.push(chunk);
    }
    if (statusCode !== 200) throw new Error(`it answers HTTP ${statusCode}`);
    return Buffer.concat(chunks).toString('utf8');
  } catch (error) {
    if (deadline.aborted) throw new Error(`nothing for ${DEADLINE_MS / 1_000} s`, { cause: error });
    if (!(error instanceof Error)) throw error;
    const code = 'code' in error ? String(error.code) : '';
    throw new Error(REASONS[code] ?? (error.message || code), { cause: error });
  }
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'it broke the connection off',
  UND_ERR_SOCKET: 'it broke the connection off',
  UND_ERR_CONNECT_TIMEOUT: 'no connection',
  EHOSTUNREACH: 'there is no way to its host',
  ENETUNREACH: 'there is no way to its network',
};
