// The console's page: files of public/, served as they are. It holds nothing of the platform; what it shows it asks for.
import { fileURLToPath } from 'node:url';
import type { Express } from 'express';
import { addSecurityHeaders, servePage } from '../common/http/page.ts';

const PUBLIC = fileURLToPath(new URL('public/', import.meta.url));

const MODULES: Record<string, string> = {
  '/vendor/preact.js': 'preact',
  '/vendor/preact-hooks.js': 'preact/hooks',
  '/vendor/htm.js': 'htm',
  '/vendor/htm-preact.js': 'htm/preact',
};

export function addPage(app: Express): void {
  addSecurityHeaders(app);
  app.get('/', (_request, response) => response.redirect('/console'));
  servePage(app, {
    folder: PUBLIC,
    paths: ['/console'],
    base: '/console',
    modules: MODULES,
    policy: ["img-src 'self'"],
  });
}
