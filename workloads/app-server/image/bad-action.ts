/** An action that does not fit the state before it: the log or this program is broken. */
export class BadAction extends Error {
  override name = 'BadAction';
}
