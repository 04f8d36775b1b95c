// Server-sent events from a fetch: EventSource can't send an Authorization header.

/** @typedef {{ name: string, data: string }} ServerEvent */

/**
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body
 * @param {number} silenceMs the stream is given up when nothing comes for so long
 * @returns {AsyncGenerator<ServerEvent>}
 */
export async function* readEvents(body, silenceMs) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let pending = '';
  try {
    for (;;) {
      const { done, value } = await withTimeout(reader.read(), silenceMs);
      if (done) return;
      pending += value.replaceAll('\r', '');
      const events = pending.split('\n\n');
      pending = events.pop() ?? '';
      for (const event of events) {
        const parsed = parse(event);
        if (parsed) yield parsed;
      }
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

/**
 * @param {string} text
 * @returns {ServerEvent | undefined}
 */
function parse(text) {
  let name = 'message';
  /** @type {string[]} */
  const data = [];
  for (const line of text.split('\n')) {
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
    if (field === 'event') name = value ?? name;
    if (field === 'data') data.push(value ?? '');
  }
  return data.length > 0 ? { name, data: data.join('\n') } : undefined;
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {number} ms
 * @returns {Promise<T>}
 */
async function withTimeout(promise, ms) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const silent = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('silence')), ms);
  });
  try {
    return await Promise.race([promise, silent]);
  } finally {
    clearTimeout(timer);
  }
}
