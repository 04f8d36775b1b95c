// When is a ZooKeeper ensemble there?
import { DONE, waitFor, type StepResult } from './runtime/steps.ts';

/** Kept in the status: from then on the ensemble exists, whatever its pods and DNS say at the moment. */
export type EnsembleMark = { formedAt?: string };

/** A new ensemble waits for all its members, and is marked then; one that has been formed serves with a majority. */
export function ensembleGate(mark: EnsembleMark, ready: number, wanted: number, now: Date): StepResult {
  if (!mark.formedAt && ready === wanted) mark.formedAt = now.toISOString().replace(/\.\d+Z$/, 'Z');
  const needed = mark.formedAt ? Math.floor(wanted / 2) + 1 : wanted;
  if (ready >= needed) return DONE;
  return waitFor(`${needed} of ${wanted} ZooKeeper servers must be ready; ${ready} are.`);
}
