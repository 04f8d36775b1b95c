// A JMAP request (RFC 8620 section 3): checks its shape, makes its calls one after the other, puts the response together.
import { inSpan } from '../../common/tracing.ts';
import type { Call } from './call.ts';
import { MethodError, RequestError } from './errors.ts';
import { CORE, COUNTS, DELIVERY, FILING, FRIENDS, MAIL, MAX_CALLS_IN_REQUEST, PRIVACY } from './limits.ts';
import type { Method } from './method.ts';
import { methods } from './methods.ts';
import type { ApiMetrics } from './metrics.ts';
import { resolveReferences, type MethodResponse } from './result-references.ts';
import { isUnavailable, metricResultOf } from './unavailable.ts';

export type JmapRequest = {
  using: string[];
  methodCalls: [name: string, args: Record<string, unknown>, callId: string][];
  createdIds: Record<string, string> | undefined;
};

export type JmapResponse = {
  methodResponses: MethodResponse[];
  createdIds?: Record<string, string>;
};

/** Capabilities a user may use; services also have DELIVERY. */
const CAPABILITIES = new Set<string>([CORE, MAIL, FRIENDS, PRIVACY, FILING, COUNTS, DELIVERY]);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws RequestError notRequest, unknownCapability, limit */
export function checkRequest(value: unknown): JmapRequest {
  const notRequest = (detail: string): RequestError => new RequestError('notRequest', detail);
  if (!isObject(value)) throw notRequest('The request is no object.');
  const { using, methodCalls, createdIds } = value;
  if (!Array.isArray(using) || !using.every((item): item is string => typeof item === 'string'))
    throw notRequest('using is no array of strings.');
  if (!Array.isArray(methodCalls)) throw notRequest('methodCalls is no array.');
  if (methodCalls.length > MAX_CALLS_IN_REQUEST)
    throw new RequestError('limit', `At most ${MAX_CALLS_IN_REQUEST} calls in a request.`, {
      limit: 'maxCallsInRequest',
    });
  if (createdIds !== undefined && createdIds !== null && !isStrings(createdIds))
    throw notRequest('createdIds is no map of strings.');
  const unknown = using.find((capability) => !CAPABILITIES.has(capability));
  if (unknown !== undefined)
    throw new RequestError('unknownCapability', `This server knows nothing of ${unknown.slice(0, 200)}.`);
  const calls = methodCalls.map((call: unknown, index): JmapRequest['methodCalls'][number] => {
    if (!Array.isArray(call) || call.length !== 3) throw notRequest(`Call ${index} is no [name, args, id].`);
    const [name, args, callId] = call as unknown[];
    if (typeof name !== 'string' || !isObject(args) || typeof callId !== 'string')
      throw notRequest(`Call ${index} is no [name, args, id].`);
    return [name, args, callId];
  });
  return { using, methodCalls: calls, createdIds: createdIds ?? undefined };
}

function isStrings(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.values(value).every((item) => typeof item === 'string');
}

/**
 * Makes the request's calls. A failed call doesn't stop the others.
 * @throws Misdirected, LeaseLost, StoreUnavailable … when nothing was changed yet: the request may be repeated as it is
 */
export async function runRequest(request: JmapRequest, call: Call): Promise<JmapResponse> {
  const responses: MethodResponse[] = [];
  for (const [name, args, callId] of request.methodCalls)
    responses.push(await runCall(request, call, responses, name, args, callId));
  return {
    methodResponses: responses,
    ...(request.createdIds ? { createdIds: Object.fromEntries(call.createdIds) } : {}),
  };
}

async function runCall(
  request: JmapRequest,
  call: Call,
  responses: readonly MethodResponse[],
  name: string,
  args: Record<string, unknown>,
  callId: string,
): Promise<MethodResponse> {
  const method = methods.get(name);
  const timed = call.services.metrics.startMethod(method?.name ?? 'unknown');
  try {
    if (!method || !request.using.includes(method.capability))
      throw new MethodError('unknownMethod', unknownBecause(name, method));
    const result = await inSpan(method.name, () => method.run(resolveReferences(args, responses), call));
    timed('ok');
    return [name, result, callId];
  } catch (error) {
    return ['error', errorResponse(error, call, name, timed), callId];
  }
}

function unknownBecause(name: string, method: Method | undefined): string {
  return method ? `${name} needs ${method.capability} in using.` : 'There is no such method.';
}

function errorResponse(
  error: unknown,
  call: Call,
  name: string,
  timed: ReturnType<ApiMetrics['startMethod']>,
): Record<string, unknown> {
  if (error instanceof MethodError) {
    timed(error.type);
    return { type: error.type, description: error.message, ...error.more };
  }
  if (isUnavailable(error)) {
    timed(metricResultOf(error));
    if (!call.hasWritten) throw error;
    call.logger.warn({ err: error, method: name }, 'a call of a request could not be made');
    return {
      type: 'serverUnavailable',
      description: 'Earlier calls of this request took effect; this one may not have. Try it again.',
    };
  }
  timed('serverFail');
  call.logger.error({ err: error, method: name }, 'a method failed');
  return { type: 'serverFail', description: 'Something went wrong here; it has been logged.' };
}
