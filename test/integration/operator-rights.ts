import type { ApiServer } from '../real/apiserver.ts';
import { renderChart } from '../support/helm.ts';

type Rights = { granted: Set<string>; used: Set<string>; asked: Set<string> };

/** Of the operator: what the chart allows; what was allowed and done; what was asked for. */
export async function rights(server: ApiServer): Promise<Rights> {
  type Rule = { apiGroups: string[]; resources: string[]; verbs: string[] };
  const roles = (await renderChart()).filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role');
  const granted = new Set<string>();
  for (const { apiGroups, resources, verbs } of roles.flatMap((role) => role.rules as Rule[]))
    for (const group of apiGroups)
      for (const resource of resources) for (const verb of verbs) granted.add(`${verb} ${resource}.${group}`);
  const used = new Set<string>();
  const asked = new Set<string>();
  for (const { verb, user, objectRef, responseStatus, annotations } of await server.audit()) {
    if (user.username !== 'system:serviceaccount:cellpost:cellpost-operator' || !objectRef) continue;
    const { resource, subresource, apiGroup = '' } = objectRef;
    const what = `${[resource, subresource].filter(Boolean).join('/')}.${apiGroup}`;
    asked.add(`${verb} ${what}`);
    // What is allowed may still be refused: a claim whose class does not let it grow.
    if (annotations?.['authorization.k8s.io/decision'] !== 'allow') continue;
    used.add(`${verb} ${what}`);
    // An apply that makes the object.
    if (verb === 'patch' && responseStatus?.code === 201) used.add(`create ${what}`);
  }
  return { granted, used, asked };
}
