// Makes messages and actions for the tests of this folder and its neighbours.
import type { HeaderSummary, ParsedMessage } from '../../common/mime/message.ts';
import type { MessageAdded } from '../log/actions.ts';

const NO_HEADERS: HeaderSummary = {
  from: null,
  sender: null,
  replyTo: null,
  to: null,
  cc: null,
  bcc: null,
  subject: null,
  sentAt: null,
  messageId: null,
  inReplyTo: null,
  references: null,
};

/** A message of one line of text, with these headers. */
export function message(headers: Partial<HeaderSummary> = {}): ParsedMessage {
  return {
    headers: { ...NO_HEADERS, ...headers },
    preview: 'Hello.',
    hasAttachment: false,
    structure: {
      partId: '1',
      headerOffset: 0,
      headerBytes: 20,
      bodyOffset: 20,
      bodyBytes: 8,
      sizeBytes: 8,
      lines: 1,
      type: 'text/plain',
      charset: 'us-ascii',
      encoding: '7bit',
      disposition: null,
      name: null,
      cid: null,
      language: null,
      location: null,
      subParts: [],
    },
    sizeBytes: 28,
    headerBytes: 20,
  };
}

export function messageAdded(fields: Partial<MessageAdded> = {}): MessageAdded {
  return {
    type: 'messageAdded',
    mailboxIds: ['m1-0'],
    keywords: [],
    receivedAtMs: 1_790_000_000_000,
    sizeBytes: 28,
    deliveryKey: '',
    envelope: { mailFrom: 'carol@example.org', rcptTo: ['alice@cellpost.test'] },
    channel: 'email',
    message: message(),
    body: { kind: 'inline', index: 0 },
    threadId: '',
    ...fields,
  };
}
