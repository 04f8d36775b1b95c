// What is known of a message without its bytes: what the MTA proxy delivers and the log keeps. All offsets count bytes
// from the start of the message as it is stored.

/** RFC 8621 section 4.1.2.3. */
export type EmailAddress = { name: string | null; email: string };

/** RFC 8621 section 4.1.4 (EmailBodyPart), with the places of headers and body. */
export type Part = {
  /** IMAP's section number ("1", "2.1"); null for a multipart. */
  partId: string | null;
  headerOffset: number;
  /** Includes the empty line that ends the headers. */
  headerBytes: number;
  bodyOffset: number;
  /** As it stands, in its transfer encoding, without the line break before the next boundary. */
  bodyBytes: number;
  /** After decoding the transfer encoding. */
  sizeBytes: number;
  /** Lines of the body as it stands. */
  lines: number;
  /** Lower case, without parameters. */
  type: string;
  /** The charset parameter; `us-ascii` for text without one; null for what is not text. */
  charset: string | null;
  /** Lower case: `7bit`, `8bit`, `binary`, `quoted-printable`, `base64`, or what the message says. */
  encoding: string;
  /** Lower case, without parameters. */
  disposition: string | null;
  /** File name, decoded. */
  name: string | null;
  /** Content-ID without its angle brackets. */
  cid: string | null;
  language: string[] | null;
  location: string | null;
  /** Of a multipart; empty for any other. */
  subParts: Part[];
};

/** Headers that lists, threads and searches need, decoded. A header that is missing is null. */
export type HeaderSummary = {
  from: EmailAddress[] | null;
  sender: EmailAddress[] | null;
  replyTo: EmailAddress[] | null;
  to: EmailAddress[] | null;
  cc: EmailAddress[] | null;
  bcc: EmailAddress[] | null;
  subject: string | null;
  /** With the offset that the sender gave (RFC 3339). */
  sentAt: string | null;
  messageId: string[] | null;
  inReplyTo: string[] | null;
  references: string[] | null;
  /** The identifier of the mailing list, in lower case (RFC 2919); undefined where nobody looked. */
  listId?: string | null | undefined;
};

export type ParsedMessage = {
  headers: HeaderSummary;
  /** At most 256 characters of the text, white space folded. */
  preview: string;
  hasAttachment: boolean;
  structure: Part;
  /** Of the whole message. */
  sizeBytes: number;
  /** Of its own headers with the empty line: what precedes the body. */
  headerBytes: number;
};
