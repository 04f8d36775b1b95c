// A message's HTML, which may be hostile. Three walls, each enough for what we know of:
// 1. DOMPurify removes scripts, handlers, forms and whatever else can act.
// 2. It is shown in a frame of its own whose sandbox allows no scripts and no forms.
// 3. The frame's document comes with a Content-Security-Policy that lets nothing in from the network; when the reader asks
//    for images, another document is taken whose policy allows those.
import DOMPurify from 'dompurify';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { html } from 'htm/preact';

/** @import { MailStore } from './mail-store.js' */
/** @import { BodyPart, EmailDetails } from './types.d.ts' */

const SANDBOX = 'allow-same-origin allow-popups allow-popups-to-escape-sandbox';
const LINKS = /^(?:https?|mailto):/i;
const REMOTE = /^\s*(?:https?:)?\/\//i;
const REMOTE_CSS = /(?:url\(|@import)\s*["']?\s*(?:https?:)?\/\//i;
/** Attributes whose address a browser loads by itself. */
const LOADING = ['src', 'srcset', 'background', 'poster'];
/** Addresses that can mean something outside of their document; others would be places of this server. */
const ABSOLUTE = /^\s*(?:(?:https?:)?\/\/|cid:|data:)/i;
/** Larger pictures within a message are not shown in place. */
const MAX_INLINE_IMAGE_BYTES = 5_000_000;
const MIN_ZOOM = 0.5;
/** What mail without any style of its own looks like. */
const BASE_STYLE = `
  html { background: #fff; color: #1f2330; }
  body { margin: 12px; font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
  img { max-width: 100%; }
  pre { white-space: pre-wrap; }
  blockquote { margin: 0 0 0 4px; padding-left: 12px; border-left: 3px solid #d5d8e3; }
`;

/** @param {{ store: MailStore, email: EmailDetails, markup: string }} props */
export function MessageFrame({ store, email, markup }) {
  const [showImages, setShowImages] = useState(false);
  const frame = useRef(/** @type {HTMLIFrameElement | null} */ (null));
  const clean = useMemo(() => sanitize(markup), [markup]);
  const hasRemote = useMemo(() => asksForRemote(clean), [clean]);

  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    /** @type {ResizeObserver | undefined} */
    let observer;
    /** @type {string[]} */
    const urls = [];
    const fill = () => {
      const document = element.contentDocument;
      // The empty document before the right one has no policy yet: nothing goes in there.
      if (!document || !document.URL.endsWith(new URL(element.src).pathname)) return;
      putInto(document, clean, showImages);
      void showInlineImages(document, email, store, urls);
      const update = () => fit(element, document);
      observer = new ResizeObserver(update);
      observer.observe(document.body);
      observer.observe(element);
      update();
    };
    element.addEventListener('load', fill);
    return () => {
      element.removeEventListener('load', fill);
      observer?.disconnect();
      for (const url of urls) URL.revokeObjectURL(url);
    };
  }, [clean, showImages]);

  return html`<div class="html">
    ${
      hasRemote &&
      !showImages &&
      html`<p class="notice">
        <span>Images from elsewhere are not shown: loading them tells the sender that you read this.</span>
        <button onClick=${() => setShowImages(true)}>Show images</button>
      </p>`
    }
    <iframe
      key=${String(showImages)}
      ref=${frame}
      title="Message"
      sandbox=${SANDBOX}
      referrerpolicy="no-referrer"
      src=${showImages ? '/frame-with-images.html' : '/frame.html'}
    ></iframe>
  </div>`;
}

/**
 * Makes the frame as high as its message; one that is too wide for it is drawn smaller, as far as it can be read.
 * @param {HTMLIFrameElement} frame
 * @param {Document} document
 */
function fit(frame, { documentElement: root, body }) {
  body.style.zoom = '';
  const ratio = root.clientWidth / root.scrollWidth;
  if (ratio < 1) body.style.zoom = String(Math.max(MIN_ZOOM, ratio));
  frame.style.height = `${root.scrollHeight}px`;
}

/** @param {string} markup @returns {HTMLElement} a whole document's root, in no document that is shown */
function sanitize(markup) {
  const clean = DOMPurify.sanitize(markup, {
    WHOLE_DOCUMENT: true,
    RETURN_DOM: true,
    USE_PROFILES: { html: true },
    FORBID_TAGS: [
      'form',
      'input',
      'button',
      'textarea',
      'select',
      'option',
      'dialog',
      'audio',
      'video',
      'template',
    ],
    FORBID_ATTR: ['action', 'formaction', 'ping', 'autofocus', 'tabindex', 'accesskey', 'contenteditable'],
    ALLOW_DATA_ATTR: false,
    ALLOWED_URI_REGEXP: /^(?:(?:https?|mailto|cid):|data:image\/|[^a-z]|[a-z+.-]+(?:[^a-z+.\-:]|$))/i,
  });
  const root = /** @type {HTMLElement} */ (clean);
  for (const link of root.querySelectorAll('a, area')) {
    if (!LINKS.test(link.getAttribute('href') ?? '')) link.removeAttribute('href');
    link.setAttribute('target', '_blank');
    link.setAttribute('rel', 'noopener noreferrer');
  }
  for (const name of LOADING) {
    for (const element of root.querySelectorAll(`[${name}]`)) {
      if (!ABSOLUTE.test(element.getAttribute(name) ?? '')) element.removeAttribute(name);
    }
  }
  return root;
}

/** @param {HTMLElement} root */
function asksForRemote(root) {
  const loads = LOADING.some((name) =>
    [...root.querySelectorAll(`[${name}]`)].some((element) => REMOTE.test(element.getAttribute(name) ?? '')),
  );
  return loads || REMOTE_CSS.test(root.innerHTML);
}

/**
 * @param {Document} document
 * @param {HTMLElement} root
 * @param {boolean} showImages
 */
function putInto(document, root, showImages) {
  const copy = /** @type {HTMLElement} */ (root.cloneNode(true));
  if (!showImages) {
    // The policy would stop them as well, but leave broken pictures.
    for (const name of LOADING) {
      for (const element of copy.querySelectorAll(`[${name}]`)) {
        if (REMOTE.test(element.getAttribute(name) ?? '')) element.removeAttribute(name);
      }
    }
  }
  const base = document.createElement('style');
  base.textContent = BASE_STYLE;
  const styles = [...copy.querySelectorAll('head style')];
  document.head.replaceChildren(base, ...styles.map((style) => document.adoptNode(style)));
  const body = copy.querySelector('body');
  if (body) document.body.replaceWith(document.adoptNode(body));
}

/**
 * Pictures that came with the message (`cid:`, RFC 2392).
 * @param {Document} document
 * @param {EmailDetails} email
 * @param {MailStore} store
 * @param {string[]} urls takes the addresses that must be given back
 */
async function showInlineImages(document, email, store, urls) {
  for (const image of document.querySelectorAll('img[src^="cid:" i]')) {
    const cid = decodeURIComponent((image.getAttribute('src') ?? '').slice(4));
    image.removeAttribute('src');
    const part = email.attachments.find((one) => one.cid === cid);
    if (!part || !isPicture(part)) continue;
    try {
      const url = URL.createObjectURL(await store.download(part));
      urls.push(url);
      image.setAttribute('src', url);
    } catch {
      // It stays an empty place; the attachment can be downloaded.
    }
  }
}

/** SVG may be large trouble; others are only drawn. @param {BodyPart} part */
function isPicture({ type, size }) {
  return /^image\/(?:png|jpeg|gif|webp|avif|bmp)$/i.test(type) && size <= MAX_INLINE_IMAGE_BYTES;
}
