// The page's icons: strokes on a grid of 24, in the colour of the text around them.
import { html } from 'htm/preact';

/** @type {Record<string, string>} */
const PATHS = {
  inbox: 'M3 13h5l1.500 3h5L16 13h5M5 5h14l2 8v6H3v-6z',
  other:
    'M9 4.500a3.500 3.500 0 1 1 0 7 3.500 3.500 0 0 1 0-7zM2.500 20c0-4 3-6 6.500-6 1.500 0 3 .400 4 1.200M16 15a2.200 2.200 0 1 1 3.200 2c-.7.400-1 .800-1 1.500M18.200 21v.100',
  archive: 'M3 4h18v4H3zM5 8v12h14V8M10 12h4',
  drafts: 'M4 20h4L19 9l-4-4L4 16zM13.500 6.500l4 4',
  sent: 'M21 3 10 14M21 3l-7 18-4-7-7-4z',
  junk: 'M12 3l9 5v5c0 4-4 7-9 8-5-1-9-4-9-8V8zM12 9v4M12 16.500v.100',
  trash: 'M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5',
  folder: 'M3 6h6l2 2h10v11H3z',
  search: 'M10.500 4a6.500 6.500 0 1 1 0 13 6.500 6.500 0 0 1 0-13zM15.500 15.500 21 21',
  star: 'M12 3.500l2.600 5.400 5.900.800-4.300 4.100 1 5.900-5.200-2.800-5.200 2.800 1-5.900L3.500 9.700l5.900-.8z',
  clip: 'M20 11.500 12 19.500a5 5 0 0 1-7-7l8.500-8.500a3.300 3.300 0 0 1 4.700 4.700L9.700 17a1.600 1.600 0 0 1-2.300-2.300l7.600-7.600',
  back: 'M15 5l-7 7 7 7',
  menu: 'M4 6h16M4 12h16M4 18h16',
  close: 'M5 5l14 14M19 5 5 19',
  unread: 'M3 6h13M3 6v13h18V11M3 7l9 6 4-2.700M19.500 3a2.500 2.500 0 1 1 0 5 2.500 2.500 0 0 1 0-5z',
  read: 'M3 9l9-6 9 6v11H3zM3 9.500l9 6 9-6',
  move: 'M3 6h6l2 2h10v11H3zM9 13.500h6M12.500 11l2.500 2.500-2.500 2.500',
  download: 'M12 4v11M7 11l5 5 5-5M4 20h16',
  exit: 'M14 4h5v16h-5M4 12h11M11 8l4 4-4 4',
  more: 'M6 9l6 6 6-6',
  up: 'M6 15l6-6 6 6',
  settings:
    'M4 7h9M19 7h1M4 17h1M11 17h9M16 4.500a2.500 2.500 0 1 1 0 5 2.500 2.500 0 0 1 0-5zM8 14.500a2.500 2.500 0 1 1 0 5 2.500 2.500 0 0 1 0-5z',
  mute: 'M4 4l16 16M9 5.500A5.500 5.500 0 0 1 17.500 10v3l1 2M6.500 9.500V14L5 17h12M10 20.500h4',
};

/** @param {{ name: string, filled?: boolean }} props */
export function Icon({ name, filled = false }) {
  return html`<svg
    class="icon"
    viewBox="0 0 24 24"
    aria-hidden="true"
    fill=${filled ? 'currentColor' : 'none'}
    stroke="currentColor"
    stroke-width="1.700"
    stroke-linecap="round"
    stroke-linejoin="round"
  >
    <path d=${PATHS[name] ?? PATHS.folder} />
  </svg>`;
}

/** @param {string | undefined} kind of a mailbox: its role, or `other` */
export function iconOfKind(kind) {
  return kind && kind in PATHS ? kind : 'folder';
}
