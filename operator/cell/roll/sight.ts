// Which app servers each process of discovery sees serve.
import { ofRole } from '../../observe.ts';
import { httpUrl } from '../../../workloads/common/http/url.ts';
import type { Owner } from '../../resources/owner.ts';
import type { CellWork } from '../steps.ts';

/** Each process of discovery by itself: what one has heard another may not have. */
export async function askDiscovery({
  world,
  context,
  platform,
  credentials,
}: CellWork): Promise<(string[] | undefined)[]> {
  const url = platform.status?.discoveryUrl;
  if (!url) return [];
  const owner: Owner = { ...context.owner, kind: 'Platform', ...context.platform };
  const addresses = ofRole(world.caches.pods, owner, 'discovery')
    .filter(({ metadata }) => !metadata.deletionTimestamp)
    .flatMap(({ status }) => status?.podIP ?? []);
  return await Promise.all(
    addresses.map(async (address) => {
      const admin = world.outside.discovery(
        httpUrl(address, Number(new URL(url).port)),
        credentials.platformToken ?? '',
      );
      const answer = await admin.cell(context.owner.name).catch(() => undefined);
      return answer?.nodes.filter(({ state }) => state === 'serving').map(({ name }) => name);
    }),
  );
}
