// Delivery/deliver (our own): how a message gets into a mailbox. Services only; the same delivery key delivers once.
import { z } from 'zod';
import { EntryTooLarge, MAX_BODY_BYTES } from '../../log/log-store.ts';
import { deliver, type Delivery } from '../../logic/delivery.ts';
import type { EmailAddress, Part } from '../../../common/mime/message.ts';
import { currentRequestId } from '../../../common/request-id.ts';
import { MethodError } from '../errors.ts';
import { DELIVERY } from '../limits.ts';
import { accountMethod } from '../method.ts';
import { senderDegree } from '../sender-degree.ts';
import { id, unsignedInt, utcDate } from '../schemas.ts';

const nullableText = z.string().nullable();
const addresses: z.ZodType<EmailAddress[] | null> = z
  .array(z.strictObject({ name: nullableText, email: z.string() }))
  .nullable();
const texts = z.array(z.string()).nullable();

const part: z.ZodType<Part> = z.strictObject({
  partId: z
    .string()
    .regex(/^[1-9]\d*(?:\.[1-9]\d*)*$/)
    .max(250)
    .nullable(),
  headerOffset: unsignedInt,
  headerBytes: unsignedInt,
  bodyOffset: unsignedInt,
  bodyBytes: unsignedInt,
  sizeBytes: unsignedInt,
  lines: unsignedInt,
  type: z.string(),
  charset: nullableText,
  encoding: z.string(),
  disposition: nullableText,
  name: nullableText,
  cid: nullableText,
  language: texts,
  location: nullableText,
  subParts: z.lazy(() => z.array(part)),
});

const message = z.strictObject({
  headers: z.strictObject({
    from: addresses,
    sender: addresses,
    replyTo: addresses,
    to: addresses,
    cc: addresses,
    bcc: addresses,
    subject: nullableText,
    sentAt: nullableText,
    messageId: texts,
    inReplyTo: texts,
    references: texts,
    listId: z.string().nullish(),
  }),
  preview: z.string().max(256),
  hasAttachment: z.boolean(),
  structure: part,
  sizeBytes: unsignedInt,
  headerBytes: unsignedInt,
});

const args = z.strictObject({
  accountId: id,
  deliveryKey: z.string().min(1).max(1024),
  receivedAt: utcDate,
  envelope: z.strictObject({ mailFrom: z.string(), rcptTo: z.array(z.string()) }),
  channel: z.enum(['email', 'sms', 'chat', 'web']),
  message,
  body: z.union([
    z.strictObject({ base64: z.base64() }),
    z.strictObject({ blobId: z.string().regex(/^[0-9a-f]{64}$/), sizeBytes: unsignedInt }),
  ]),
});

/** @throws MethodError invalidArguments when the body is not the message that is told of */
function toDelivery(given: z.infer<typeof args>): Delivery {
  const { deliveryKey, envelope, channel, body } = given;
  const bytes = 'base64' in body ? Buffer.from(body.base64, 'base64') : undefined;
  const sizeBytes = 'base64' in body ? (bytes?.length ?? 0) : body.sizeBytes;
  if (sizeBytes !== given.message.sizeBytes)
    throw new MethodError('invalidArguments', 'body: its size is not the message’s.');
  if (bytes && bytes.length > MAX_BODY_BYTES)
    throw new MethodError('invalidArguments', `body: over ${MAX_BODY_BYTES} bytes; make it a blob.`);
  return {
    requestId: currentRequestId(),
    deliveryKey,
    envelope,
    channel,
    message: given.message,
    sizeBytes,
    receivedAtMs: Date.parse(given.receivedAt),
    body:
      'base64' in body
        ? { kind: 'bytes', bytes: bytes ?? Buffer.alloc(0) }
        : { kind: 'blob', sha256: body.blobId },
  };
}

export const deliveryDeliver = accountMethod({
  name: 'Delivery/deliver',
  capability: DELIVERY,
  servicesOnly: true,
  args,
  async run(given, call) {
    const delivery = toDelivery(given);
    const degree = await senderDegree(call.services, call.userId, delivery);
    const result = await call
      .write((tx) => deliver(tx, { ...delivery, degree }))
      .catch((error: unknown) => {
        if (!(error instanceof EntryTooLarge)) throw error;
        throw new MethodError('invalidArguments', 'message: its headers and structure are too large.');
      });
    if (result === 'noUser' || result === 'notTheirs')
      throw new MethodError('accountNotFound', 'There is no such account here.');
    if (result === 'forbidden')
      throw new MethodError('forbidden', 'The recipient takes no messages from this sender.');
    if (result === 'overQuota') throw new MethodError('overQuota', 'The mailbox is full.');
    return result;
  },
});
