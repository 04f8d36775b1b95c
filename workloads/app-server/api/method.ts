// A JMAP method: a name, the capability it belongs to, the arguments it takes, and what it does.
import type { z } from 'zod';
import type { Call } from './call.ts';
import { MethodError } from './errors.ts';
import { parseArguments } from './schemas.ts';

export type Method = {
  name: string;
  capability: string;
  run(args: Record<string, unknown>, call: Call): Promise<Record<string, unknown>>;
};

/**
 * Makes a method of the user's account: arguments are checked against the schema, the account against the user.
 * @param options.servicesOnly refuses users with `forbidden`
 */
export function accountMethod<T extends z.ZodType<{ accountId: string }>>(options: {
  name: string;
  capability: string;
  servicesOnly?: boolean;
  args: T;
  run(args: z.infer<T>, call: Call): Promise<Record<string, unknown>>;
}): Method {
  return {
    name: options.name,
    capability: options.capability,
    async run(args, call) {
      if (options.servicesOnly && call.principal.kind !== 'service')
        throw new MethodError('forbidden', 'Only services of the platform call this.');
      const parsed = parseArguments(options.args, args);
      call.assertAccount(parsed.accountId);
      return { accountId: parsed.accountId, ...(await options.run(parsed, call)) };
    },
  };
}
