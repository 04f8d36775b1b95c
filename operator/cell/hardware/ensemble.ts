// Members of the cell's ZooKeeper come and go by its own reconfiguration; clients and the other members go on meanwhile.
import { podHost, roleName } from '../../resources/owner.ts';
import { memberLine } from '../../resources/zookeeper.ts';
import { DONE, waitFor, type StepResult } from '../../runtime/steps.ts';
import type { CellWork } from '../steps.ts';

const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, n) => from + n);

/** New servers get their vote when all of them run: they follow by then. */
export async function growEnsemble(work: CellWork): Promise<StepResult> {
  const { asked, context, marks, observed } = work;
  const { members } = marks;
  const wanted = asked.zookeeper.replicas;
  if (members === undefined || members >= wanted) return DONE;
  if (observed.zookeeper.ready < wanted)
    return waitFor(
      `${wanted} servers of ZooKeeper must run before the new ones may vote; ${observed.zookeeper.ready} do.`,
    );
  const joining = range(members, wanted).map((ordinal) => memberLine(context.owner, ordinal));
  return await change(work, wanted, { joining, leaving: [] });
}

/** Servers with the highest numbers lose their vote, all at once; then they may go. */
export async function shrinkEnsemble(work: CellWork): Promise<StepResult> {
  const { asked, marks } = work;
  const wanted = asked.zookeeper.replicas;
  if (marks.members === undefined || marks.members <= wanted) return DONE;
  const leaving = range(wanted, marks.members).map((ordinal) => ordinal + 1);
  return await change(work, wanted, { joining: [], leaving });
}

async function change(
  work: CellWork,
  wanted: number,
  what: { joining: string[]; leaving: number[] },
): Promise<StepResult> {
  const { world, context, marks } = work;
  const leader = await leaderOf(work);
  if (leader === undefined) return waitFor('One server of ZooKeeper must lead; none says so.');
  const { ensemble } = world.outside;
  // An operator that went on from another finds what that one did.
  const now = await ensemble.members(leader);
  const members = now.length === wanted ? now : await ensemble.change(leader, what);
  if (members.length !== wanted || members.at(-1) !== wanted)
    return waitFor(
      `${wanted} servers of ${roleName(context.owner, 'zookeeper')} must be members; these are: ${members.join(', ')}.`,
    );
  marks.members = wanted;
  return DONE;
}

async function leaderOf({ world, context, marks }: CellWork): Promise<string | undefined> {
  const hosts = range(0, marks.members ?? 0).map((ordinal) => podHost(context.owner, 'zookeeper', ordinal));
  const answers = await Promise.all(hosts.map((host) => world.outside.zookeeper(host)));
  return hosts.find((_, index) => answers[index]?.state === 'leader');
}
