// Pods that call or are called, by their roles.
import { peer, type Call, type Peer } from './manifests.ts';
import { selectorOf, type Owner, type Role } from './owner.ts';

/** The pods of some roles of a cell or platform. */
export const podsOf = (owner: Owner, roles: readonly Role[]): Peer[] =>
  roles.map((role) => ({ podSelector: { matchLabels: selectorOf(owner, role) } }));

/** A call to them. */
export const to = (owner: Owner, roles: readonly Role[], ...ports: number[]): Call => ({
  to: podsOf(owner, roles),
  ports,
});

/** The operator's own. */
export const operatorOf = (context: {
  operatorNamespace: string;
  operatorLabels: Record<string, string>;
}): Peer => peer(context.operatorNamespace, context.operatorLabels);
