// Core/echo (RFC 8620 section 4): gives the arguments back.
import { CORE } from '../limits.ts';
import type { Method } from '../method.ts';

export const coreEcho: Method = {
  name: 'Core/echo',
  capability: CORE,
  run: (args) => Promise.resolve(args),
};
