const MEDIA_TYPE = /^[A-Za-z0-9!#$&^_.+-]{1,127}\/[A-Za-z0-9!#$&^_.+-]{1,127}$/;

/** The media type without its parameters, when it is one; so nothing else gets into a header. */
export function mediaTypeOr(text: string | undefined, otherwise: string): string {
  const type = (text ?? '').split(';')[0]?.trim() ?? '';
  return MEDIA_TYPE.test(type) ? type.toLowerCase() : otherwise;
}
