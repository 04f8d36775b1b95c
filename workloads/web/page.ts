// The inbox page: files of public/ and the few modules of node_modules that it imports, served as they are.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import express, { type Express, type Response } from 'express';

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
  const index = readFileSync(`${PUBLIC}index.html`, 'utf8');
  const pagePolicy = [
    "default-src 'none'",
    `script-src 'self' '${hashOfImportMap(index)}'`,
    "style-src 'self'",
    "img-src 'self' data: blob:",
    "connect-src 'self'",
    "frame-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');

  app.get(['/', '/index.html'], (_request, response) => {
    setPageHeaders(response);
    response.set('Content-Security-Policy', pagePolicy);
    response.type('html').send(index);
  });
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
  for (const [path, name] of Object.entries(MODULES)) {
    const file = fileURLToPath(import.meta.resolve(name));
    app.get(path, (_request, response) => {
      setPageHeaders(response);
      response.type('text/javascript').sendFile(file, { etag: true, cacheControl: false });
    });
  }
  app.use(express.static(PUBLIC, { index: false, cacheControl: false, setHeaders: setPageHeaders }));
}

/** A new version is seen at the next load; what did not change is not sent again. */
function setPageHeaders(response: Response): void {
  response.set('Cache-Control', 'no-cache');
}

/** The import map is the one script that has to stand in the page itself. */
function hashOfImportMap(html: string): string {
  const content = /<script type="importmap">([\s\S]*?)<\/script>/.exec(html)?.[1];
  if (content === undefined) throw new Error('index.html has no import map');
  return `sha256-${createHash('sha256').update(content).digest('base64')}`;
}
