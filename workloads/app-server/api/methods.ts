// All JMAP methods, by name.
import type { Method } from './method.ts';
import { coreEcho } from './methods/core-echo.ts';
import { correspondentAdd } from './methods/correspondent-add.ts';
import { deliveryDeliver } from './methods/delivery-deliver.ts';
import { emailChanges } from './methods/email-changes.ts';
import { emailGet } from './methods/email-get.ts';
import { emailQueryChanges } from './methods/email-query-changes.ts';
import { emailQuery } from './methods/email-query.ts';
import { emailSet } from './methods/email-set.ts';
import { filingSettingsGet, filingSettingsSet } from './methods/filing-settings.ts';
import { friendChanges } from './methods/friend-changes.ts';
import { friendGet } from './methods/friend-get.ts';
import { friendSet } from './methods/friend-set.ts';
import { mailboxChanges } from './methods/mailbox-changes.ts';
import { mailboxGet } from './methods/mailbox-get.ts';
import { mailboxQuery } from './methods/mailbox-query.ts';
import { mailboxSet } from './methods/mailbox-set.ts';
import { mailboxQueryChanges } from './methods/mailbox-query-changes.ts';
import { countsGet, countsSet } from './methods/counts.ts';
import { privacySettingsGet, privacySettingsSet } from './methods/privacy-settings.ts';
import { threadChanges } from './methods/thread-changes.ts';
import { threadGet } from './methods/thread-get.ts';

export const methods: ReadonlyMap<string, Method> = new Map(
  [
    coreEcho,
    mailboxGet,
    mailboxChanges,
    mailboxQuery,
    mailboxQueryChanges,
    mailboxSet,
    threadGet,
    threadChanges,
    emailGet,
    emailChanges,
    emailQuery,
    emailQueryChanges,
    emailSet,
    friendGet,
    friendChanges,
    friendSet,
    countsGet,
    countsSet,
    privacySettingsGet,
    privacySettingsSet,
    filingSettingsGet,
    filingSettingsSet,
    correspondentAdd,
    deliveryDeliver,
  ].map((method) => [method.name, method]),
);
