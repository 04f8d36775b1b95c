// What the MTA proxy says when it does not take mail.
import type { Refusal } from '../smtp/sink.ts';

export const NOBODY: Refusal = { code: 550, status: '5.1.1', text: 'Nobody is called that here' };
export const LATER: Refusal = { code: 451, status: '4.3.0', text: 'Not now, try again later' };
export const CELL_DISABLED: Refusal = {
  code: 451,
  status: '4.3.2',
  text: 'This mailbox is not in service now',
};
export const MAILBOX_FULL: Refusal = { code: 452, status: '4.2.2', text: 'The mailbox is full' };
/** The same whether it is a block, or who may reach the user: it tells nothing of friends. */
export const NOT_WANTED: Refusal = {
  code: 550,
  status: '5.7.1',
  text: 'The recipient takes no mail from this sender',
};
export const NOT_STORABLE: Refusal = { code: 554, status: '5.6.0', text: 'This message cannot be stored' };
