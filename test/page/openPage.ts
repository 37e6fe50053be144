import type { Browser, Page } from 'playwright-core';
import { comparisonArguments, editorArguments } from '../../src/reports/pageArguments.js';
import { guardHandlers } from '../../src/rpc/guard.js';
import type { ArgumentSchemas } from '../../src/rpc/guard.js';
import type { Connection, Handlers, Methods } from '../../src/rpc/rpc.js';
import { connect } from '../../src/rpc/rpc.js';
import { decodeNumbers, encodeNumbers } from '../../src/rpc/wireNumbers.js';
import type { PageName, PageServer } from './pageServer.js';
import type { ThemeName } from './themes.js';
import { THEMES } from './themes.js';

export interface OpenOptions {
  readonly theme?: ThemeName;
  readonly width?: number;
  readonly height?: number;
  /** What the page stored before it was destroyed. */
  readonly state?: unknown;
  readonly reducedMotion?: boolean;
}

export interface OpenedPage<PageApi extends Methods<PageApi>> {
  readonly page: Page;
  readonly remote: Connection<PageApi>['remote'];
  /** What the page stored last. */
  state(): unknown;
  /** Violations of the policy so far. */
  violations(): Promise<string[]>;
  /** Errors the page threw and did not catch, and what it sent that the extension host refuses. */
  readonly errors: readonly string[];
  close(): Promise<void>;
}

const ARGUMENTS = { editor: editorArguments, comparison: comparisonArguments };

/** Opens a page as VS Code would, with these handlers as the extension host. */
export async function openPage<HostApi extends Methods<HostApi>, PageApi extends Methods<PageApi>>(
  browser: Browser,
  server: PageServer,
  name: PageName,
  host: Handlers<HostApi>,
  options: OpenOptions = {},
): Promise<OpenedPage<PageApi>> {
  const { theme = 'dark', width = 1180, height = 900, reducedMotion = false } = options;
  const tab = await takeTab(browser);
  const { page } = tab;
  await page.setViewportSize({ width, height });
  await page.emulateMedia({ reducedMotion: reducedMotion ? 'reduce' : null });
  const errors: string[] = [];
  let closed = false;
  let stored: unknown = options.state;
  let listener: (message: unknown) => void = () => undefined;
  tab.user = {
    toHost: (message) => listener(decodeNumbers(JSON.parse(message, jsonToArrays))),
    keepState: (state) => (stored = JSON.parse(state)),
    onError: (error) => errors.push(error.stack ?? error.message),
  };
  const connection = connect<HostApi, PageApi>(
    {
      post(message) {
        const text = JSON.stringify(encodeNumbers(message), arraysToJson);
        // The page may be gone when a late answer is sent.
        if (!closed) page.evaluate((data) => window.fromHost(data), text).catch(() => undefined);
      },
      listen(receive) {
        listener = receive;
        return () => undefined;
      },
    },
    guardHandlers(host, ARGUMENTS[name] as unknown as ArgumentSchemas<HostApi>, (reason) =>
      errors.push(reason),
    ),
  );
  // The last one says what the next page begins with.
  await page.addInitScript(
    (start) => {
      window.pageStart = start;
    },
    { theme: THEMES[theme], state: options.state },
  );
  await page.goto(server.url(name));
  return {
    page,
    remote: connection.remote,
    errors,
    state: () => stored,
    violations: async () => (closed ? [] : page.evaluate(() => window.violations)),
    async close() {
      if (closed) return;
      closed = true;
      connection.close();
      await giveTab(browser, tab);
    },
  };
}

/** Who hears of what a tab's page does. */
interface TabUser {
  toHost(message: string): void;
  keepState(state: string): void;
  onError(error: Error): void;
}

/** A tab of a browser that pages are opened in, one after the other: it compiles their scripts once. */
interface Tab {
  readonly page: Page;
  user?: TabUser;
}

const freeTabs = new WeakMap<Browser, Tab[]>();

async function takeTab(browser: Browser): Promise<Tab> {
  const free = freeTabs.get(browser)?.pop();
  if (free) return free;
  const page = await browser.newPage();
  const tab: Tab = { page };
  page.on('pageerror', (error) => tab.user?.onError(error));
  await page.exposeFunction('toHost', (message: string) => tab.user?.toHost(message));
  await page.exposeFunction('keepState', (state: string) => tab.user?.keepState(state));
  return tab;
}

/** Leaves the page, and the tab to the next one. */
async function giveTab(browser: Browser, tab: Tab): Promise<void> {
  tab.user = undefined;
  await tab.page.goto('about:blank');
  // Outside: nothing of the next page is hovered over.
  await tab.page.mouse.move(-1, -1);
  freeTabs.set(browser, [...(freeTabs.get(browser) ?? []), tab]);
}

const ARRAYS = { Uint8Array, Int32Array, Uint32Array, Float32Array, Float64Array };

// The same as in the page, `fakeVsCode.ts`.
function arraysToJson(_: string, value: unknown): unknown {
  if (!ArrayBuffer.isView(value)) return value;
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return { array: value.constructor.name, base64: bytes.toString('base64') };
}

function jsonToArrays(_: string, value: unknown): unknown {
  const { array, base64 } = (value ?? {}) as { array?: keyof typeof ARRAYS; base64?: string };
  if (array === undefined || base64 === undefined) return value;
  return new ARRAYS[array](new Uint8Array(Buffer.from(base64, 'base64')).buffer);
}
