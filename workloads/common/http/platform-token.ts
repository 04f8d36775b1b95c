// How one service shows another that it belongs to the platform: `Authorization: Bearer <platform token>`.
import { createHash, timingSafeEqual } from 'node:crypto';

export function bearer(token: string): string {
  return `Bearer ${token}`;
}

/** True when the header carries the platform's token; takes the same time for any wrong one. */
export function isPlatform(authorization: string | undefined, token: string): boolean {
  const given = createHash('sha256')
    .update(authorization ?? '')
    .digest();
  const wanted = createHash('sha256').update(bearer(token)).digest();
  return timingSafeEqual(given, wanted);
}
