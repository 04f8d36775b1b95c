// A small JMAP client for tests (RFC 8620): HTTP Basic, one request at a time.

const USING = [
  'urn:ietf:params:jmap:core',
  'urn:ietf:params:jmap:mail',
  'urn:cellpost:friends',
  'urn:cellpost:counts',
  'urn:cellpost:privacy',
  'urn:cellpost:filing',
];

export type Invocation = [name: string, args: Record<string, unknown>, id: string];

export type JmapClient = {
  accountId: string;
  /** Sends method calls and returns the responses. @throws with the status when it isn't 200 */
  call(...calls: Invocation[]): Promise<Invocation[]>;
  /** The subjects of the newest messages in a mailbox with this role (none: anywhere), newest first. */
  subjects(role?: string): Promise<string[]>;
};

export function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

/** @param webUrl the web door, `http://host:port` */
export async function openJmap(webUrl: string, user: string, password: string): Promise<JmapClient> {
  const headers = { authorization: basic(user, password), 'content-type': 'application/json' };
  const response = await fetch(`${webUrl}/jmap/session`, { headers });
  if (response.status !== 200) throw new Error(`session: ${response.status} ${await response.text()}`);
  const session = (await response.json()) as { apiUrl: string; primaryAccounts: Record<string, string> };
  const accountId = session.primaryAccounts['urn:ietf:params:jmap:mail'] ?? '';
  const call = async (...methodCalls: Invocation[]): Promise<Invocation[]> => {
    const answer = await fetch(new URL(session.apiUrl, webUrl), {
      method: 'POST',
      headers,
      body: JSON.stringify({
        using: USING,
        methodCalls,
      }),
    });
    if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
    return ((await answer.json()) as { methodResponses: Invocation[] }).methodResponses;
  };
  return {
    accountId,
    call,
    async subjects(role) {
      const [mailboxes] = await call(['Mailbox/get', { accountId }, '0']);
      const list = (mailboxes?.[1].list ?? []) as { id: string; role: string | null }[];
      const inMailbox = role ? list.find((mailbox) => mailbox.role === role)?.id : undefined;
      const responses = await call(
        [
          'Email/query',
          {
            accountId,
            filter: inMailbox ? { inMailbox } : null,
            sort: [{ property: 'receivedAt', isAscending: false }],
          },
          'q',
        ],
        [
          'Email/get',
          {
            accountId,
            '#ids': { resultOf: 'q', name: 'Email/query', path: '/ids' },
            properties: ['subject'],
          },
          'g',
        ],
      );
      const emails = (responses[1]?.[1].list ?? []) as { subject: string }[];
      return emails.map((email) => email.subject);
    },
  };
}
