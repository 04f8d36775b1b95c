// The whole map in a few kilobytes, for people: the console draws it, cellctl prints it.
import { BUCKETS } from '../common/cell-client/buckets.ts';
import type { CellView } from '../common/cell-client/directory.ts';
import type { CellSummary, MapSummary } from '../common/cell-client/map-summary.ts';
import { type RingMember, tokensOf } from '../common/ring/ring.ts';
import type { RingStatus } from './ring-clients.ts';
import type { DiscoveryState } from './state.ts';

/** @param staleSeconds by source: `map`, `cell NAME` */
export function summarize(
  { directory }: Pick<DiscoveryState, 'directory'>,
  staleSeconds: ReadonlyMap<string, number>,
  statusOf: (cell: string) => RingStatus,
): MapSummary {
  const buckets = directory.buckets.counts();
  const assigned = [...buckets.values()].reduce((sum, count) => sum + count, 0);
  const describe = (view: CellView): CellSummary => {
    const { name, state, dataCenter, ring } = view;
    const count = buckets.get(name) ?? 0;
    const shares = ringShares(ring?.members ?? []);
    return {
      name,
      state,
      dataCenter,
      buckets: count,
      share: count / BUCKETS,
      ringVersion: ring?.version ?? null,
      ...statusOf(name),
      ageSeconds: staleSeconds.get(`cell ${name}`) ?? 0,
      members: (ring?.members ?? []).map((member) => ({
        name: member.name,
        url: member.url,
        state: member.state,
        tokens: member.tokens,
        version: member.version,
        share: shares.get(member.name) ?? 0,
      })),
    };
  };
  return {
    mapVersion: directory.mapVersion,
    ageSeconds: staleSeconds.get('map') ?? 0,
    unassignedBuckets: BUCKETS - assigned,
    exceptions: directory.exceptions.size,
    cells: directory.cells().map(describe),
  };
}

const POSITIONS = 2 ** 32;

/** What each serving member owns of its ring, from 0 to 1; the others own nothing and are left out. */
export function ringShares(members: readonly RingMember[]): Map<string, number> {
  const places = members
    .filter((member) => member.state === 'serving')
    .flatMap(({ name, tokens }) => tokensOf(name, tokens).map((position) => ({ position, name })))
    .sort((a, b) => a.position - b.position || (a.name < b.name ? -1 : 1));
  const shares = new Map<string, number>();
  let before = (places.at(-1)?.position ?? 0) - POSITIONS;
  for (const { position, name } of places) {
    shares.set(name, (shares.get(name) ?? 0) + (position - before) / POSITIONS);
    before = position;
  }
  return shares;
}
