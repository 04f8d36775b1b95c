import type { Degree, Relations } from '../relations.ts';
import { fromOf, type Delivery } from './delivery.ts';

/** How far the user and the sender of a message are apart. A From header that DMARC condemns is nobody's friend. */
export async function senderDegree(
  relations: Relations,
  userId: string,
  { message, envelope, authentication }: Delivery,
): Promise<Degree> {
  const [only = envelope.mailFrom, ...others] = fromOf(message);
  if (others.length > 0 || authentication?.dmarc === 'fail') return 'none';
  return only === '' ? 'unknown' : relations.degree(userId, only);
}
