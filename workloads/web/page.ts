// The inbox page: files of public/ and the few modules of node_modules that it imports, served as they are.
import { fileURLToPath } from 'node:url';
import type { Express } from 'express';
import { servePage, setPageHeaders } from '../common/http/page.ts';

const PUBLIC = fileURLToPath(new URL('public/', import.meta.url));

/** What the page imports from elsewhere, by the paths that the import map in index.html names. */
const MODULES: Record<string, string> = {
  '/vendor/preact.js': 'preact',
  '/vendor/preact-hooks.js': 'preact/hooks',
  '/vendor/htm.js': 'htm',
  '/vendor/htm-preact.js': 'htm/preact',
  '/vendor/dompurify.js': 'dompurify',
};

/** Names and password to show on the sign-in form of a demonstration. */
export type Demo = { addresses: string[]; password: string };

/**
 * Where a message's HTML is shown: no scripts, nothing from the network but, when asked for, images. The page itself puts
 * the sanitized message in; see public/message-frame.js.
 */
const FRAMES: Record<string, string> = {
  '/frame.html': 'img-src data: blob:',
  '/frame-with-images.html': 'img-src data: blob: http: https:',
};

export function addPage(app: Express, demo: Demo | undefined): void {
  app.get('/config.json', (_request, response) => {
    setPageHeaders(response);
    response.json({ demo: demo ?? null });
  });
  for (const [path, images] of Object.entries(FRAMES)) {
    app.get(path, (_request, response) => {
      setPageHeaders(response);
      response.set(
        'Content-Security-Policy',
        `default-src 'none'; ${images}; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'`,
      );
      response.type('html').send('<!doctype html><html lang="en"><title>Message</title><body></body></html>');
    });
  }
  servePage(app, {
    folder: PUBLIC,
    paths: ['/', '/index.html'],
    base: '/',
    modules: MODULES,
    policy: ["img-src 'self' data: blob:", "frame-src 'self'"],
  });
}
