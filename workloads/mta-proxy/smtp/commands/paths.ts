// Reverse-path and forward-path with their parameters (RFC 5321 section 4.1.2).

export type Path = {
  /** '' for `<>`. */
  address: string;
  /** By upper-case keyword. */
  parameters: Map<string, string>;
};

const MAX_PARAMETERS = 20;

/**
 * Reads `FROM:<address> KEY=VALUE …`. Source routes are dropped (section 4.1.1.3).
 * @returns undefined when this is not that
 */
export function parsePath(args: string, keyword: 'FROM' | 'TO'): Path | undefined {
  const match = /^\s*(\w+):\s*<((?:"(?:[^"\\]|\\.)*"|[^<>"])*)>(.*)$/i.exec(args);
  if (!match || match[1]?.toUpperCase() !== keyword) return undefined;
  const address = (match[2] ?? '').replace(/^(?:@[^:,@]+,?)+:/, '');
  const parameters = new Map<string, string>();
  for (const word of (match[3] ?? '').split(/\s+/).filter(Boolean)) {
    const equals = word.indexOf('=');
    const key = (equals === -1 ? word : word.slice(0, equals)).toUpperCase();
    if (!/^[A-Z0-9][A-Z0-9-]*$/.test(key) || parameters.size >= MAX_PARAMETERS) return undefined;
    parameters.set(key, equals === -1 ? '' : word.slice(equals + 1));
  }
  return { address, parameters };
}

/** `local@domain`, within RFC 5321's lengths, without controls and spaces outside of quotes. */
export function isAddress(address: string): boolean {
  const at = address.lastIndexOf('@');
  if (at < 1 || at === address.length - 1) return false;
  const local = address.slice(0, at);
  const domain = address.slice(at + 1);
  if (Buffer.byteLength(local) > 64 || Buffer.byteLength(domain) > 255 || /\p{Cc}/u.test(address))
    return false;
  if (!/^[^\s@<>()",;:\\]+$/.test(domain) && !/^\[[\w.:]+\]$/.test(domain)) return false;
  return /^"(?:[^"\\]|\\.)+"$/.test(local) || /^[^\s@<>()",;:\\[\]]+$/.test(local);
}
