// The data types of RFC 8620 section 1 as zod schemas, and how a failed check reads.
import { z } from 'zod';
import { MethodError } from './errors.ts';

/** Section 1.2. Creation ids have the same form. */
export const id = z.string().regex(/^[A-Za-z0-9_-]{1,255}$/, 'is no id');
/** `#` and a creation id, where the method allows one. */
export const idOrCreation = z.string().regex(/^#?[A-Za-z0-9_-]{1,255}$/, 'is no id');
export const unsignedInt = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
export const int = z.number().int().min(-Number.MAX_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER);
/** Section 1.4: RFC 3339 in UTC with upper-case letters. */
export const utcDate = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/, 'is no UTCDate')
  .refine((text) => !Number.isNaN(Date.parse(text)), 'is no time');

/** A JSON object whose members are checked one by one later. */
export const jsonObject = z.custom<Record<string, unknown>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'is no object',
);

/** @throws MethodError invalidArguments with each bad argument and why, never its value */
export function parseArguments<T extends z.ZodType>(schema: T, args: unknown): z.infer<T> {
  const parsed = schema.safeParse(args);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, 5).map(describe);
  throw new MethodError('invalidArguments', issues.join('; '));
}

function describe(issue: z.core.$ZodIssue): string {
  const path = issue.path.map(String).join('/');
  return path === '' ? issue.message : `${path}: ${issue.message}`;
}
