// Why one object of a /set call was not changed (RFC 8620 section 5.3).
export type SetError = { type: string; description?: string; properties?: string[]; existingId?: string };

export function invalidProperties(properties: string[], description: string): SetError {
  return { type: 'invalidProperties', properties, description };
}

export const NOT_FOUND: SetError = { type: 'notFound' };
