import fs from 'node:fs';
import path from 'node:path';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {import('playwright-core').Frame} Frame */
/** @typedef {import('playwright-core').Locator} Locator */
/** @typedef {import('./codeServer.mjs').CodeServer} CodeServer */

/** The themes that screenshots show, and the classes that each gives the window and its pages. */
export const themes = /** @type {const} */ ({
  'Dark Modern': { window: 'vs-dark', page: 'vscode-dark' },
  'Light Modern': { window: 'vs', page: 'vscode-light' },
  'Dark High Contrast': { window: 'hc-black', page: 'vscode-high-contrast' },
});

/** @typedef {keyof typeof themes} Theme */

const TIMEOUT = 60_000;

/** A VS Code window in a headless browser, and what a user does with it. */
export class Workbench {
  /** @param {Page} page @param {CodeServer} server */
  constructor(page, server) {
    this.page = page;
    this.server = server;
  }

  /**
   * Opens a folder and waits until extensions can answer.
   * @param {import('playwright-core').Browser} browser
   * @param {CodeServer} server
   * @param {object} what
   * @param {string} what.folder absolute path
   * @param {{ width: number, height: number }} [what.viewport]
   */
  static async open(browser, server, { folder, viewport = { width: 1440, height: 900 } }) {
    const context = await browser.newContext({ viewport });
    await context.grantPermissions(['clipboard-read', 'clipboard-write'], {
      origin: new URL(server.address).origin,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(TIMEOUT);
    await page.goto(server.folderAddress(folder));
    // Before this, a file opens as text or as "binary file", and commands do not exist.
    await page.waitForFunction(
      () => performance.getEntriesByName('code/didLoadExtensions').length > 0,
    );
    return new Workbench(page, server);
  }

  /** Row of a file at the top of the folder. @param {string} name */
  explorerRow(name) {
    const row = this.page.locator('.explorer-folders-view .monaco-list-row');
    return row.filter({ has: this.page.getByText(name, { exact: true }) });
  }

  /**
   * Opens a model at the top of the folder by a click in the explorer. VS Code takes in the editors
   * of extensions when the window is first idle; before, it says that the file is binary: then again.
   * @param {string} name
   */
  async openFile(name) {
    const row = this.explorerRow(name);
    const group = this.page.locator('.editor-group-container.active');
    const binary = group.getByText(/is either binary or uses an unsupported text encoding/);
    const deadline = Date.now() + TIMEOUT;
    await row.click();
    while (!(await this.showsWebview(name))) {
      if (Date.now() > deadline) throw new Error(`${name} does not open`);
      if (await binary.isVisible()) {
        await this.closeEditor();
        await row.click();
      }
      await this.page.waitForTimeout(50);
    }
  }

  /** Closes the editor in front by its tab's button. */
  async closeEditor() {
    const tab = this.page.locator('.editor-group-container.active .tab.active');
    const name = await tab.getAttribute('data-resource-name');
    await tab.getByRole('button', { name: /^Close/ }).click();
    await tab.and(this.page.locator(`[data-resource-name="${name}"]`)).waitFor({ state: 'hidden' });
  }

  /** True once the editor in front has this title and some webview is up. @param {string} name */
  async showsWebview(name) {
    // A title's ending is an element of its own; the label holds both.
    const title = this.page.locator('.editor-group-container.active .tab.active .tab-label');
    const inFront = (await title.allTextContents()).join() === name;
    return inFront && (await this.page.locator('iframe.webview.ready').count()) > 0;
  }

  /**
   * Waits until the editor in front has the right title.
   * @param {(label: string) => boolean} isRight
   */
  async untilActiveTab(isRight) {
    const tab = this.page.locator('.editor-group-container.active .tab.active .label-name');
    const deadline = Date.now() + TIMEOUT;
    while (!isRight((await tab.allTextContents()).join())) {
      if (Date.now() > deadline) throw new Error(`Still in front: ${await tab.allTextContents()}`);
      await this.page.waitForTimeout(50);
    }
  }

  /**
   * The page inside the visible webview that shows an element.
   * @param {string} selector CSS selector of something on that page
   * @returns {Promise<import('playwright-core').FrameLocator>} stays valid when the page is rebuilt
   */
  async webview(selector) {
    const deadline = Date.now() + TIMEOUT;
    while (Date.now() < deadline) {
      for (const frame of this.page.frames()) {
        if (frame.parentFrame() === null) continue;
        // A frame that goes away while it is asked is not the one.
        if (await showsInTab(frame, selector).catch(() => false)) {
          const name = JSON.stringify(frame.parentFrame()?.name());
          return this.page
            .frameLocator(`iframe.webview[name=${name}]`)
            .frameLocator('#active-frame');
        }
      }
      await this.page.waitForTimeout(50);
    }
    throw new Error(`No webview shows ${selector} after ${TIMEOUT / 1000} s`);
  }

  /**
   * Right-clicks an element, in a webview or not, and chooses from the menu.
   * @param {Locator} target
   * @param {string} label text of the menu item
   * @param {string} [submenu] text of the item that opens the menu which it is in
   */
  async chooseFromContextMenu(target, label, submenu) {
    await target.click({ button: 'right' });
    const menu = this.page.locator('.context-view .monaco-menu').first();
    const item = menu.getByRole('menuitem', { name: label });
    if (submenu !== undefined) {
      const parent = menu.getByRole('menuitem', { name: submenu, exact: true });
      await repeatUntil(
        () => parent.click({ timeout: 500 }),
        () => item.waitFor({ timeout: 500 }),
      );
    }
    await item.waitFor();
    // The menu swallows clicks while it fades in, so that the opening click chooses nothing.
    await repeatUntil(
      () => item.click({ timeout: 500 }),
      () => menu.waitFor({ state: 'hidden', timeout: 500 }),
    );
  }

  /** The open quick pick; waits for its title. @param {string | RegExp} title */
  async quickPick(title) {
    const widget = this.page.locator('.quick-input-widget').filter({ hasText: title });
    await widget.waitFor();
    return widget;
  }

  /**
   * Ticks exactly these items of a quick pick and accepts.
   * @param {string | RegExp} title
   * @param {readonly string[]} labels
   */
  async pickMany(title, labels) {
    const widget = await this.quickPick(title);
    const rows = widget.locator('.quick-input-list .monaco-list-row');
    await rows.first().waitFor();
    const all = widget.locator('.quick-input-header').getByRole('checkbox');
    await repeatUntil(
      () => all.click({ timeout: 500 }),
      () => widget.getByText('0 Selected').waitFor({ timeout: 500 }),
    );
    const filter = widget.locator('.quick-input-filter input');
    for (const label of labels) {
      // The list draws only the rows in sight; filtering brings this one there.
      await filter.fill(label);
      const row = item(widget, label);
      await row.click();
      await row.and(this.page.locator('[aria-checked="true"]')).waitFor();
    }
    await filter.fill('');
    await filter.press('Enter');
    await widget.waitFor({ state: 'hidden' });
  }

  /**
   * Labels of the ticked items of a quick pick, as far as they are in sight.
   * @param {string | RegExp} title
   */
  async tickedItems(title) {
    const widget = await this.quickPick(title);
    const ticked = widget.locator('.quick-input-list .monaco-list-row[aria-checked="true"]');
    await ticked.first().waitFor();
    // Rows are used again; one without a detail hides that of the item before it.
    return ticked.locator('.label-name:visible').allInnerTexts();
  }

  /**
   * Chooses one item of a quick pick.
   * @param {string | RegExp} title
   * @param {string} label
   */
  async pickOne(title, label) {
    const widget = await this.quickPick(title);
    await item(widget, label).click();
  }

  /**
   * Names a file in VS Code's own file dialog, and accepts.
   * @param {string} title
   * @param {string} file absolute path
   */
  async answerFileDialog(title, file) {
    const dialog = await this.quickPick(title);
    const input = dialog.locator('.quick-input-filter input');
    // It writes its folder into the input once that is read, over what stands there.
    await repeatUntil(
      async () => {
        await input.fill(file, { timeout: 2000 });
        await input.press('Enter', { timeout: 2000 });
      },
      () => dialog.waitFor({ state: 'hidden', timeout: 2000 }),
    );
  }

  /**
   * Runs a command through the command palette.
   * @param {string} title as the palette shows it
   */
  async runCommand(title) {
    const widget = this.page.locator('.quick-input-widget');
    // A page that gets the focus late closes the palette again.
    await retry(async () => {
      await this.page.keyboard.press('F1');
      await widget.locator('.quick-input-filter input').fill(`>${title}`, { timeout: 2000 });
      await item(widget, title).click({ timeout: 2000 });
    });
  }

  /** Changes the colour theme and waits until the window has it. @param {Theme} theme */
  async setTheme(theme) {
    const { window, page } = themes[theme];
    const widget = this.page.locator('.quick-input-widget');
    // By the picker: code-server's window does not notice a change of the settings file.
    await retry(async () => {
      await this.runCommand('Preferences: Color Theme');
      await widget.locator('.quick-input-filter input').fill(theme, { timeout: 2000 });
      await item(widget, theme).click({ timeout: 2000 });
    });
    await widget.waitFor({ state: 'hidden' });
    await this.page.locator(`.monaco-workbench.${window}`).waitFor();
    // The page in front hears of it later.
    const pages = this.page.locator('iframe.webview.ready').filter({ visible: true });
    if ((await pages.count()) > 0) await this.webview(`body.${page} *`);
  }

  /** Brings back the messages that have faded, if there are any. */
  async showNotifications() {
    const bell = this.page.locator('[id="status.notifications"]');
    const open = this.page.locator('.notifications-center');
    if ((await bell.count()) > 0 && !(await open.isVisible())) await bell.click();
  }

  /**
   * Writes a picture of the window.
   * @param {string} file
   * @returns {Promise<string>} the file
   */
  async screenshot(file) {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    await this.page.screenshot({ path: file, animations: 'disabled' });
    return file;
  }
}

/**
 * A row of a quick pick by its label; the description follows it after a comma.
 * @param {Locator} widget
 * @param {string} label
 */
function item(widget, label) {
  const rows = ['=', '^='].map((operator) => {
    const text = JSON.stringify(operator === '=' ? label : `${label}, `);
    return `.quick-input-list .monaco-list-row[aria-label${operator}${text}]`;
  });
  return widget.locator(rows.join(', '));
}

/**
 * Whether a webview's inner frame is the current one ("active", no longer "pending"), its tab is in
 * front (a webview in the background stays in the page, hidden) and the element is to be seen.
 * @param {Frame} frame
 * @param {string} selector
 */
async function showsInTab(frame, selector) {
  const inner = await frame.frameElement();
  const outer = await frame.parentFrame()?.frameElement();
  return (
    (await inner.getAttribute('id')) === 'active-frame' &&
    (await outer?.isVisible()) === true &&
    (await frame.locator(selector).first().isVisible())
  );
}

/**
 * Does something again until it succeeds.
 * @param {() => Promise<void>} action must fail soon
 */
async function retry(action) {
  const deadline = Date.now() + TIMEOUT;
  for (;;) {
    try {
      return await action();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

/**
 * Does something again until a condition holds.
 * @param {() => Promise<void>} action a failed one (the menu has just closed, say) does not matter
 * @param {() => Promise<void>} condition rejects soon while it does not hold
 */
function repeatUntil(action, condition) {
  return retry(async () => {
    const failure = await action().then(
      () => undefined,
      (error) => error,
    );
    await condition().catch((error) => {
      throw failure ?? error;
    });
  });
}
