// How far a message's sender and its recipient are apart, found out before the message is written.
import { userKey } from '../../common/keys.ts';
import { asUser } from '../image/model.ts';
import { needsDegree, type Delivery } from '../logic/delivery.ts';
import { isProofMissing, provenSender } from '../logic/sender.ts';
import type { Degree } from '../relations.ts';
import type { Services } from './services.ts';

/**
 * The index is asked while the user's log is opened, which the delivery needs anyway; where what the user has set decides
 * alone, its answer isn't waited for.
 * @returns undefined on a platform without a user index
 * @throws what UserLogs.read throws
 */
export async function senderDegree(
  { relations, logs }: Pick<Services, 'relations' | 'logs'>,
  userId: string,
  delivery: Delivery,
): Promise<Degree | undefined> {
  if (!relations) return undefined;
  const sender = provenSender(delivery);
  if (sender === undefined) return isProofMissing(delivery) ? 'unknown' : 'none';
  const asked = relations.degree(userId, sender);
  const isNeeded = await logs.read(userKey(userId), (image) => {
    const user = asUser(image);
    return user !== undefined && needsDegree(user, delivery);
  });
  return isNeeded ? asked : 'none';
}
