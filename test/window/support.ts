import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, beforeEach, onTestFailed } from 'vitest';
import { vsixFile } from '../../scripts/lib/build.mjs';
import { screenshotFolder } from '../../scripts/lib/paths.mjs';
import { copySample } from '../../scripts/lib/sample.mjs';
import { startSession } from '../../scripts/lib/session.mjs';
import type { Session } from '../../scripts/lib/session.mjs';
import { Workbench } from '../../scripts/lib/workbench.mjs';

export const MODEL = 'model.safetensors';
export const DOWN_PROJ = 'model.layers.0.mlp.down_proj.weight';

/**
 * The hash in the browser's note when a script sets an empty `style` attribute, as the control
 * toolkit does: it is refused, and changes nothing.
 */
const EMPTY_STYLE = 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=';

/** What the tests of one file share: a window with the packaged extension, and its folder. */
export class TestWindow {
  private session: Session | undefined;
  private scratch = '';
  workbench!: Workbench;
  folder!: string;
  /** What the pages complained of, scripts that the policy stopped included. */
  readonly complaints: string[] = [];

  /**
   * Registers the window's life in the calling test file.
   * @param prepare adds files to the folder
   * @param flags of the browser
   */
  static use(
    prepare: (folder: string) => void = () => undefined,
    flags: readonly string[] = [],
  ): TestWindow {
    const shared = new TestWindow();
    beforeAll(async () => shared.start(prepare, flags));
    afterAll(async () => shared.stop());
    beforeEach(({ task }) => {
      onTestFailed(async () => {
        // What an error message said is most of the answer.
        await shared.workbench?.showNotifications();
        const name = task.name.replace(/[^\w]+/g, '-');
        await shared.workbench?.screenshot(path.join(screenshotFolder, 'failed', `${name}.png`));
      });
    });
    return shared;
  }

  /** Writes a picture of the window. @param name without extension */
  async screenshot(name: string): Promise<void> {
    await this.workbench.screenshot(path.join(screenshotFolder, `${name}.png`));
  }

  private async start(prepare: (folder: string) => void, flags: readonly string[]): Promise<void> {
    if (!fs.existsSync(vsixFile)) throw new Error(`${vsixFile} is missing: npm run package`);
    this.scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'quantscope-window-'));
    this.folder = copySample(path.join(this.scratch, 'sample'));
    prepare(this.folder);
    this.session = await startSession([vsixFile], { trust: 'all', flags });
    const { browser, server } = this.session;
    this.workbench = await Workbench.open(browser, server, { folder: this.folder });
    this.workbench.page.on('console', (message) => {
      const text = message.text();
      const fromPage = message.location().url.includes('/webview/');
      const aboutPolicy = text.includes('Content Security Policy');
      if (message.type() !== 'error' || text.includes(EMPTY_STYLE)) return;
      if (fromPage || aboutPolicy) this.complaints.push(text);
    });
    this.workbench.page.on('pageerror', (error) => this.complaints.push(String(error)));
  }

  private async stop(): Promise<void> {
    await this.session?.close();
    fs.rmSync(this.scratch, { recursive: true, force: true });
  }
}

/** The bytes of a file with this header and so many bytes of data. */
export function safetensorsBytes(header: unknown, dataBytes = 0): Buffer {
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, Buffer.alloc(dataBytes)]);
}
