// What surrounds every route: a logger that names it, errors turned into answers.
import type { Request, RequestHandler, Response } from 'express';
import { BlobNotFound } from '../../common/blobs/blob-store.ts';
import { sendProblem } from '../../common/http/server.ts';
import type { Logger } from '../../common/log.ts';
import { RequestError } from './errors.ts';
import type { Services } from './services.ts';
import { isUnavailable, sendUnavailable } from './unavailable.ts';
import { noteRequest } from './user-load.ts';

type Handler = (request: Request, response: Response, logger: Logger) => Promise<void>;

/** @param route its name in metrics and logs */
export function wrap(services: Services, route: string, handle: Handler): RequestHandler {
  return (request, response, next) => {
    const logger = services.logger.child({ route });
    response.once('close', () => {
      services.metrics.countRequest(route, response.statusCode);
      noteRequest(services.loads, request, response);
    });
    handle(request, response, logger).catch((error: unknown) => answerError(error, response, logger, next));
  };
}

function answerError(
  error: unknown,
  response: Response,
  logger: Logger,
  next: (error: unknown) => void,
): void {
  if (response.destroyed) logger.debug({ err: error }, 'the client has gone');
  else if (response.headersSent) {
    logger.warn({ err: error }, 'a response was cut off');
    response.destroy();
  } else if (error instanceof RequestError)
    sendProblem(response, error.status, error.type, error.message, error.more);
  else if (isUnavailable(error)) {
    logger.debug({ err: error }, 'sent elsewhere or told to wait');
    void sendUnavailable(response, error);
  } else if (error instanceof BlobNotFound) notFound(response);
  else next(error);
}

/** The same answer for what isn't there and for what isn't the asker's. */
export function notFound(response: Response): void {
  sendProblem(response, 404, 'about:blank', 'There is nothing here.');
}
