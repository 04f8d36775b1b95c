// A page in the browser: files as they are, without a build step, and the few modules of node_modules that they import.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import express, { type Express, type Response } from 'express';

export type PageFiles = {
  /** The folder, with a slash at its end; it has an index.html with an import map. */
  folder: string;
  /** Where the page is. */
  paths: string[];
  /** Below which path the other files of the folder are. */
  base: string;
  /** What the page imports from elsewhere, by the paths that its import map names. */
  modules: Record<string, string>;
  /** Directives of its Content-Security-Policy beside those that every page has. */
  policy?: string[];
};

export function servePage(app: Express, { folder, paths, base, modules, policy = [] }: PageFiles): void {
  const index = readFileSync(`${folder}index.html`, 'utf8');
  const directives = [
    "default-src 'none'",
    `script-src 'self' '${hashOfImportMap(index)}'`,
    "style-src 'self'",
    "connect-src 'self'",
    ...policy,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  app.get(paths, (_request, response) => {
    setPageHeaders(response);
    response.set('Content-Security-Policy', directives);
    response.type('html').send(index);
  });
  for (const [path, name] of Object.entries(modules)) {
    const file = fileURLToPath(import.meta.resolve(name));
    app.get(path, (_request, response) => {
      setPageHeaders(response);
      response.type('text/javascript').sendFile(file, { etag: true, cacheControl: false });
    });
  }
  app.use(base, express.static(folder, { index: false, cacheControl: false, setHeaders: setPageHeaders }));
}

/** A new version is seen at the next load; what did not change is not sent again. */
export function setPageHeaders(response: Response): void {
  response.set('Cache-Control', 'no-cache');
}

/** For every answer; pages and downloads add to them or replace them. */
export function addSecurityHeaders(app: Express): void {
  app.use((_request, response, next) => {
    response.set({
      'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Resource-Policy': 'same-origin',
    });
    next();
  });
}

/** The import map is the one script that has to stand in the page itself. */
function hashOfImportMap(html: string): string {
  const content = /<script type="importmap">([\s\S]*?)<\/script>/.exec(html)?.[1];
  if (content === undefined) throw new Error('index.html has no import map');
  return `sha256-${createHash('sha256').update(content).digest('base64')}`;
}
