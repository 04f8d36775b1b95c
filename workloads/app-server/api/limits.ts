// Bounds of the API; the session object tells clients (RFC 8620 section 2).

export const CORE = 'urn:ietf:params:jmap:core';
export const MAIL = 'urn:ietf:params:jmap:mail';
/** Our own: how mail gets in. Services only. */
export const DELIVERY = 'urn:cellpost:delivery';
/** Our own: what is unread and what is new. */
export const COUNTS = 'urn:cellpost:counts';
/** Our own: who may reach the user. */
export const PRIVACY = 'urn:cellpost:privacy';
/** Our own: where mail goes when it arrives. */
export const FILING = 'urn:cellpost:filing';
/** Our own: who is a friend. */
export const FRIENDS = 'urn:cellpost:friends';

/** A request in JSON: a delivery carries up to 64 KiB of body in base64 and the message's headers. */
export const MAX_REQUEST_BYTES = 10_000_000;
/** As large as the largest message that the MTA proxy takes, and some. */
export const MAX_UPLOAD_BYTES = 50_000_000;
/** Requests, uploads and event streams of one user at once: some devices, a browser with some tabs. */
export const MAX_CONCURRENT_REQUESTS = 16;
export const MAX_CONCURRENT_UPLOADS = 4;
export const MAX_EVENT_STREAMS = 32;
export const MAX_CALLS_IN_REQUEST = 64;
export const MAX_OBJECTS_IN_GET = 500;
export const MAX_OBJECTS_IN_SET = 500;
/** Ids that one query returns. */
export const MAX_QUERY_LIMIT = 5_000;
/** Levels of arrays and objects in a request: a delivered message of the deepest MIME structure that is parsed has about 110. */
export const MAX_JSON_DEPTH = 256;
/** Conditions and operators of one filter. */
export const MAX_FILTER_NODES = 100;

export const COLLATIONS = ['i;ascii-casemap', 'i;unicode-casemap'] as const;
