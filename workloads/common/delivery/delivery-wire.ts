// The messages of a delivery channel: delivery.proto.
import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import {
  authenticationOf,
  authenticationProto,
  type Authentication,
  type WireAuthentication,
} from '../mail-auth/authentication.ts';

/** What a client asks for in `Upgrade` at GET DELIVERY_PATH. The number rises with changes that older peers misread. */
export const DELIVERY_PROTOCOL = 'cellpost-delivery-1';
export const DELIVERY_PATH = '/deliveries';

export type DeliveryHeader = {
  number: number;
  userId: string;
  requestId: string;
  deliveryKey: string;
  receivedAtMs: number;
  mailFrom: string;
  rcptTo: readonly string[];
  /** A parsed message, encoded: see common/mime/message-wire.ts. */
  message: Uint8Array;
  /** Empty: the message's bytes follow. */
  blob: Uint8Array;
  /** Undefined when the message was not checked. */
  authentication: Authentication | undefined;
  /** Why it belongs into Junk; '' when it does not. */
  junk: string;
  /** Of the trace that it is part of; '' when nobody traces. */
  traceparent: string;
};

/** The problem of an answer: an address of the delivery is not the user's. Whoever finds the right one may deliver there. */
export const NOT_THEIRS = 'notTheirs';

export type Answer = { number: number; status: number; duplicate: boolean; problem: string };

const { root } = protobuf.parse(authenticationProto);
protobuf.parse(readFileSync(new URL('delivery.proto', import.meta.url), 'utf8'), root);
const deliveryType = root.lookupType('cellpost.delivery.Delivery');
const answerType = root.lookupType('cellpost.delivery.Answer');

export function encodeDelivery(header: DeliveryHeader): Uint8Array {
  return deliveryType.encode(header).finish();
}

/** @throws when the bytes are none */
export function decodeDelivery(bytes: Uint8Array): DeliveryHeader {
  const wire = deliveryType.toObject(deliveryType.decode(bytes), DEFAULTS) as Omit<
    DeliveryHeader,
    'authentication'
  > & {
    authentication: WireAuthentication | null;
  };
  const { authentication } = wire;
  return { ...wire, authentication: authentication ? authenticationOf(authentication) : undefined };
}

export function encodeAnswer(answer: Partial<Answer>): Uint8Array {
  return answerType.encode(answer).finish();
}

/** @throws when the bytes are none */
export function decodeAnswer(bytes: Uint8Array): Answer {
  return answerType.toObject(answerType.decode(bytes), DEFAULTS) as Answer;
}

const DEFAULTS = { longs: Number, defaults: true, arrays: true };
