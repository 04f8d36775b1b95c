/** What a policy hook may answer. */
export const POLICY_ACTIONS = ['accept', 'junk', 'reject', 'tempfail'] as const;
export type PolicyAction = (typeof POLICY_ACTIONS)[number];
