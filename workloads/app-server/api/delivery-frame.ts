// One delivery of a channel: checked, put into its user's log, answered.
import { NOT_THEIRS, type Answer, type DeliveryHeader } from '../../common/delivery/delivery-wire.ts';
import { isUserId, userKey } from '../../common/keys.ts';
import { decodeMessageBytes } from '../../common/mime/message-wire.ts';
import { inRequest } from '../../common/request-id.ts';
import { continuing, inSpan } from '../../common/tracing.ts';
import { EntryTooLarge, MAX_BODY_BYTES } from '../log/log-store.ts';
import { deliver, type Delivery } from '../logic/delivery.ts';
import type { MethodErrorType } from './errors.ts';
import { senderDegree } from './sender-degree.ts';
import type { Services } from './services.ts';
import { isUnavailable, mayBeTold, metricResultOf, unavailableProblem } from './unavailable.ts';

export type DeliveryOutcome = Omit<Partial<Answer>, 'number'>;

const MAX_DELIVERY_KEY_CHARS = 1_024;
/** Ids are tens of characters; each is stored with its message. */
const MAX_REQUEST_ID_CHARS = 128;
const SHA256_BYTES = 32;
/** Until the year 9999. */
const MAX_TIME_MS = 253_402_300_799_999;

/** Resolves when the delivery is durable or refused; never rejects. */
export function deliverFrame(
  services: Services,
  header: DeliveryHeader,
  bytes: Uint8Array,
): Promise<DeliveryOutcome> {
  return inRequest(header.requestId, () =>
    continuing(header.traceparent, () =>
      inSpan('delivery', () => deliverOne(services, header, bytes), { kind: 'server' }),
    ),
  );
}

async function deliverOne(
  services: Services,
  header: DeliveryHeader,
  bytes: Uint8Array,
): Promise<DeliveryOutcome> {
  const timed = services.metrics.startMethod('Delivery/channel');
  const refuse = (problem: MethodErrorType): DeliveryOutcome => {
    timed(problem);
    return { status: 422, problem };
  };
  const delivery = toDelivery(header, bytes);
  if (!delivery || !isUserId(header.userId)) return refuse('invalidArguments');
  try {
    const degree = await senderDegree(services, header.userId, delivery);
    const result = await services.logs.write(userKey(header.userId), (tx) =>
      deliver(tx, { ...delivery, degree }),
    );
    if (result === 'noUser') return refuse('accountNotFound');
    if (result === 'notTheirs') {
      timed('notTheirs');
      return { status: 422, problem: NOT_THEIRS };
    }
    if (result === 'overQuota' || result === 'forbidden') return refuse(result);
    timed('ok');
    services.loads.note(header.userId, {
      requests: 1,
      bytes: header.message.length + bytes.length,
      appends: result.duplicate ? 0 : 1,
    });
    return { status: 200, duplicate: result.duplicate };
  } catch (error) {
    // Its headers and structure are too large.
    if (error instanceof EntryTooLarge) return refuse('invalidArguments');
    if (isUnavailable(error)) {
      timed(metricResultOf(error));
      services.logger.debug({ err: error }, 'sent elsewhere or told to wait');
      await mayBeTold(error);
      const { status, more, ...problem } = unavailableProblem(error);
      return { status, problem: JSON.stringify({ ...problem, ...more }) };
    }
    services.logger.error({ err: error }, 'a delivery failed');
    return refuse('serverFail');
  }
}

/** @returns undefined when this is no message that could be stored */
function toDelivery(header: DeliveryHeader, bytes: Uint8Array): Delivery | undefined {
  const { deliveryKey, receivedAtMs, mailFrom, rcptTo, blob } = header;
  if (deliveryKey.length === 0 || deliveryKey.length > MAX_DELIVERY_KEY_CHARS) return undefined;
  if (!(receivedAtMs >= 0 && receivedAtMs <= MAX_TIME_MS) || bytes.length > MAX_BODY_BYTES) return undefined;
  if (blob.length > 0 && (blob.length !== SHA256_BYTES || bytes.length > 0)) return undefined;
  const message = decodeMessageBytes(header.message);
  if (!message || (blob.length === 0 && message.sizeBytes !== bytes.length)) return undefined;
  return {
    requestId: header.requestId.slice(0, MAX_REQUEST_ID_CHARS),
    deliveryKey,
    receivedAtMs,
    envelope: { mailFrom, rcptTo: [...rcptTo] },
    isAddressed: true,
    channel: 'email',
    message,
    authentication: header.authentication,
    junk: header.junk !== '',
    sizeBytes: message.sizeBytes,
    body:
      blob.length === 0
        ? { kind: 'bytes', bytes }
        : { kind: 'blob', sha256: Buffer.from(blob).toString('hex') },
  };
}
