import type {
  ComparisonHostApi,
  ComparisonPageApi,
  ComparisonState,
} from '../../src/reports/comparisonPage.js';
import type { Handlers } from '../../src/rpc/rpc.js';
import { connect } from '../../src/rpc/rpc.js';
import { decodeNumbers, encodeNumbers } from '../../src/rpc/wireNumbers.js';
import { formatComparisonCsv, formatReportJson } from '../../src/reports/present.js';

/** What stands in the place of VS Code in a report that is opened from disk. */
interface LocalApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}

/** The comparison that the report's file holds. */
function readState(): ComparisonState {
  const text = document.getElementById('comparison-data')!.textContent;
  return decodeNumbers(JSON.parse(text)) as ComparisonState;
}

/** Saves bytes as a file of the reader's. */
function download(name: string, type: string, content: BlobPart): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

const nothing = async (): Promise<void> => undefined;

function handlers(state: ComparisonState): Handlers<ComparisonHostApi> {
  const report = state.report!;
  return {
    open: async () => state,
    copyCsv: async () => download('comparison.csv', 'text/csv', formatComparisonCsv(report)),
    saveJson: async () => download('comparison.json', 'application/json', formatReportJson(report)),
    savePng: async ({ name, png }) => download(`${name}.png`, 'image/png', png.slice()),
    copyText: async ({ text }) => navigator.clipboard.writeText(text),
    // There is no model here to do anything with.
    saveHtml: nothing,
    cancel: nothing,
    measurePerplexity: nothing,
    addFormats: nothing,
    removeFormat: nothing,
    moveFormat: nothing,
    chooseBos: nothing,
    runAgain: nothing,
    revealTensor: nothing,
    receiveFromGpu: nothing,
    gpuEnded: nothing,
  };
}

let fromPage: (message: unknown) => void = () => undefined;
let stored: unknown;
const api: LocalApi = {
  postMessage: (message) => fromPage(message),
  getState: () => stored,
  setState: (state) => {
    stored = state;
  },
};
Object.assign(globalThis, { acquireVsCodeApi: () => api });

function start(): void {
  connect<ComparisonHostApi, ComparisonPageApi>(
    {
      post: (message) => window.postMessage(encodeNumbers(message), '*'),
      listen(listener) {
        fromPage = (message) => listener(decodeNumbers(message));
        return () => undefined;
      },
    },
    handlers(readState()),
  );
}

const dark = window.matchMedia('screen and (prefers-color-scheme: dark)');
/** Pages look at the class for the kind of theme; charts are drawn anew when it changes. */
function showScheme(): void {
  document.body.className = dark.matches ? 'vscode-dark' : 'vscode-light';
}

showScheme();
dark.addEventListener('change', showScheme);
start();
