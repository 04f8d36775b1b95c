// Events of a cell: told when a condition's status or reason changes, so a steady cell tells nothing.
import type { Events } from './runtime/events.ts';
import type { KubeObject } from './runtime/resources.ts';
import type { CommonStatus } from './types.ts';

const BAD_WHEN_TRUE = new Set(['Degraded', 'Paused', 'RolledBack', 'Aborted']);

export async function tellOfChanges(
  events: Events,
  object: KubeObject & { status?: CommonStatus },
  now: CommonStatus,
): Promise<void> {
  for (const condition of now.conditions ?? []) {
    const before = object.status?.conditions?.find(({ type }) => type === condition.type);
    if (before?.status === condition.status && before.reason === condition.reason) continue;
    // The first look at a new object says nothing that its creation did not.
    if (!before && condition.status === 'False' && condition.type !== 'Deleting') continue;
    const bad = BAD_WHEN_TRUE.has(condition.type)
      ? condition.status === 'True'
      : condition.type !== 'Progressing' && condition.status === 'False';
    await events.record(
      object,
      bad ? 'Warning' : 'Normal',
      condition.reason,
      condition.type,
      condition.message,
    );
  }
}
