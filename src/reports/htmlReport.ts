import { encodeNumbers } from '../rpc/wireNumbers.js';
import type { ComparisonState } from './comparisonPage.js';
import { escapeUnseen } from './jsonParts.js';
import { makeModelTitle } from './modelTitle.js';
import type { ComparisonReport } from './reports.js';

/** Scripts and styles of the comparison page, and what takes the place of its host. */
export interface ReportProgram {
  /** Runs before the page. */
  readonly hostScript: string;
  readonly pageScript: string;
  readonly pageStyles: string;
  /** Colours. */
  readonly themeStyles: string;
  readonly chartStyles: string;
}

/**
 * A comparison as one HTML file that opens from disk: the page of the comparison panel with its report, scripts and styles
 * inside. It loads nothing and speaks to nobody: its policy lets these very scripts and styles run and nothing else.
 * @param report shown as data; names in it are text
 * @param scope what was quantized, for people
 */
export async function renderHtmlReport(
  report: ComparisonReport,
  scope: string,
  program: ReportProgram,
): Promise<string> {
  const modelName = makeModelTitle(report.model.path);
  const state: ComparisonState = {
    modelName,
    scope,
    formats: report.formats.map(({ id }) => id),
    status: 'done',
    isDocument: true,
    report,
  };
  const scripts = [program.hostScript, program.pageScript].map(asScript);
  const styles = [program.chartStyles, program.pageStyles, program.themeStyles];
  const policy = [
    `default-src 'none'`,
    'img-src blob: data:',
    // With an empty one the components learn whether :focus-visible is known.
    `style-src ${(await hashes([...styles, ''])).join(' ')}`,
    `script-src ${(await hashes(scripts)).join(' ')}`,
    `form-action 'none'`,
    `base-uri 'none'`,
  ].join('; ');
  const [charts, ...others] = styles;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="UTF-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(modelName)} – Quantscope</title>
<style id="plotly.js-style-global" class="no-inline-styles">${charts}</style>
${others.map((text) => `<style>${text}</style>`).join('\n')}
</head>
<body>
<div id="app"></div>
<noscript>This comparison needs JavaScript; nothing is loaded from anywhere.</noscript>
<script type="application/json" id="comparison-data">${embedJson(state)}</script>
${scripts.map((text) => `<script>${text}</script>`).join('\n')}
</body>
</html>
`;
}

/** JSON within an element: nothing in it ends the element or begins another. */
export function embedJson(value: unknown): string {
  return escapeUnseen(JSON.stringify(encodeNumbers(value))).replaceAll('<', '\\u003c');
}

/** A script within an element: tags stand in its strings alone, where the escape means the same. */
function asScript(text: string): string {
  return text.replace(/<(?=\/?script)/gi, '\\x3c');
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Sources of a content security policy that name texts by their SHA-256. */
function hashes(texts: readonly string[]): Promise<string[]> {
  return Promise.all(
    texts.map(async (text) => {
      const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
      return `'sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}'`;
    }),
  );
}
