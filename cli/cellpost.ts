#!/usr/bin/env node
// The door to everything that runs: `cellpost embedded`, `cellpost <workload>`, `cellpost operator`.
import { Command } from 'commander';
import { runService, type Service } from './run-service.ts';

type Entry = { describe: string; load: () => Promise<Service> };

const SERVICES: Record<string, Entry> = {
  embedded: {
    describe: 'the whole platform on this machine, in one process tree',
    load: () => import('../embedded/main.ts'),
  },
  'app-server': {
    describe: "a cell's app server",
    load: () => import('../workloads/app-server/main.ts'),
  },
  discovery: {
    describe: 'the map of users to cells and nodes',
    load: () => import('../workloads/discovery/main.ts'),
  },
  'mta-proxy': {
    describe: 'the SMTP and LMTP door',
    load: () => import('../workloads/mta-proxy/main.ts'),
  },
  'user-index': {
    describe: 'who is a friend of whom',
    load: () => import('../workloads/user-index/main.ts'),
  },
  'memcache-dirty': {
    describe: 'the counts of unread messages, kept in memcached',
    load: () => import('../workloads/memcache-dirty/main.ts'),
  },
  console: {
    describe: 'what is busy, slow or away in the whole platform',
    load: () => import('../workloads/console/main.ts'),
  },
  web: {
    describe: 'the HTTP door: JMAP and the inbox page',
    load: () => import('../workloads/web/main.ts'),
  },
  operator: {
    describe: 'the Kubernetes operator',
    load: () => import('../operator/main.ts'),
  },
};

const program = new Command('cellpost').description(
  'Cellpost: one mailbox for email, SMS, chat and the web, in cells',
);
for (const [name, service] of Object.entries(SERVICES)) {
  program
    .command(name)
    .description(`runs ${service.describe}; configured by environment variables`)
    .action(() => runService(name, service.load));
}
await program.parseAsync();
