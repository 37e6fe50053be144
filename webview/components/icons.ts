import type { SVGTemplateResult } from 'lit';
import { svg } from 'lit';

function icon(path: SVGTemplateResult): SVGTemplateResult {
  return svg`<svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"
    fill="none" stroke="currentColor" stroke-width="1.2" stroke-linecap="round"
    stroke-linejoin="round">${path}</svg>`;
}

export const chevronIcon = icon(svg`<path d="M6 3.5 10.5 8 6 12.5" />`);
export const searchIcon = icon(svg`<circle cx="7" cy="7" r="4" /><path d="m10 10 3.5 3.5" />`);
export const closeIcon = icon(svg`<path d="m4 4 8 8m0-8-8 8" />`);
export const moreIcon = icon(
  svg`<g fill="currentColor" stroke="none"><circle cx="3.5" cy="8" r="1.1" /><circle cx="8" cy="8" r="1.1" /><circle cx="12.5" cy="8" r="1.1" /></g>`,
);
export const copyIcon = icon(
  svg`<rect x="5.5" y="5.5" width="8" height="8" rx="1" /><path d="M10.5 3.5v-1h-8v8h1" />`,
);
export const infoIcon = icon(svg`<circle cx="8" cy="8" r="6" /><path d="M8 7.5v4M8 4.6v.2" />`);
export const warningIcon = icon(svg`<path d="M8 2 14.5 13.5h-13zM8 6.5v3.2M8 11.6v.2" />`);
export const errorIcon = icon(svg`<circle cx="8" cy="8" r="6" /><path d="M8 4.5v4M8 11v.2" />`);
export const checkIcon = icon(svg`<circle cx="8" cy="8" r="6" /><path d="m5.2 8.2 2 2 3.6-4" />`);
