// Correspondent/add (our own): the user wrote to these addresses. Services only: the MTA proxy tells it of mail that it took.
import { z } from 'zod';
import { MAX_RECIPIENTS, noteCorrespondents } from '../../logic/correspondents.ts';
import { DELIVERY } from '../limits.ts';
import { accountMethod } from '../method.ts';
import { id } from '../schemas.ts';

export const correspondentAdd = accountMethod({
  name: 'Correspondent/add',
  capability: DELIVERY,
  servicesOnly: true,
  args: z.strictObject({ accountId: id, addresses: z.array(z.string()).max(MAX_RECIPIENTS) }),
  run: ({ addresses }, call) => call.write((tx) => ({ added: noteCorrespondents(tx, addresses) })),
});
