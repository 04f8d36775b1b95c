import type { Request, Response } from 'express';
import type { Logger } from '../../common/log.ts';
import type { Principal } from './principal.ts';

/** What a handler of a user's route gets: the asker may see this user. */
export type UserRequest = {
  request: Request;
  response: Response;
  userId: string;
  principal: Principal;
  logger: Logger;
};
