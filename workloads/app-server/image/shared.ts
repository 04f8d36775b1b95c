// Texts that most users have alike, such as the names of mailboxes: in memory once, not once a user.

/** Those that come first are the ones that every user has. */
const MAX_SHARED = 256;

const known = new Map<string, string>();

/** The same text. */
export function shared(text: string): string {
  const there = known.get(text);
  if (there !== undefined) return there;
  if (known.size < MAX_SHARED) known.set(text, text);
  return text;
}
