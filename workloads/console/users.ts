// The busiest users of the platform, of what each app server tells of its own.
import type { LoadView, UserView } from './load-view.ts';
import type { UserWork } from './watched.ts';

const TOP = 15;

type Server = { member: { cell: string } | undefined; users: readonly UserWork[] };

/** A user who has just moved has been busy on two servers. The busiest by any measure come first, by their share of it. */
export function busiestUsers(servers: readonly Server[]): UserView[] {
  const users = new Map<string, UserView>();
  for (const { member, users: own } of servers)
    for (const { userId, requests, bytes, appends } of own) {
      const user = users.get(userId) ?? {
        userId,
        cell: member?.cell ?? '',
        requests: 0,
        bytes: 0,
        appends: 0,
      };
      user.requests += requests;
      user.bytes += bytes;
      user.appends += appends;
      users.set(userId, user);
    }
  const all = [...users.values()];
  const most = (measure: 'requests' | 'bytes' | 'appends'): number =>
    Math.max(1, ...all.map((user) => user[measure]));
  const [requests, bytes, appends] = [most('requests'), most('bytes'), most('appends')];
  const weight = (user: UserView): number =>
    Math.max(user.requests / requests, user.bytes / bytes, user.appends / appends);
  return all
    .sort(
      (a, b) =>
        weight(b) - weight(a) || b.requests - a.requests || (String(a.userId) < String(b.userId) ? -1 : 1),
    )
    .slice(0, TOP);
}

/** For those who may look at the platform but not at its users. */
export const withoutUserIds = (view: LoadView): LoadView => ({
  ...view,
  users: view.users.map((user) => ({ ...user, userId: null })),
});
