import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import type { Memento, QuickPickItem } from 'vscode';
import type { Host } from '../../../src/host/host.js';
import { ChoiceMemory } from '../../../src/vscode/picks/choiceMemory.js';
import { pickText } from '../../../src/vscode/picks/textPick.js';

/** Asking Windows for a path of this kind sends the user's credentials to that server. */
const OTHER_MACHINE = String.raw`\\evil.example\share\eval.txt`;
const CHOSEN_ONCE = '//evil.example/share/notes.txt';

interface FakeWindow {
  /** Paths that the file system was asked for. */
  asked: string[];
  settings: Record<string, unknown>;
  shown: readonly QuickPickItem[];
  /** What the user chooses; leaves where there is none such. */
  choose: (items: readonly QuickPickItem[]) => QuickPickItem | undefined;
}

const fake = vi.hoisted((): FakeWindow => ({
  asked: [],
  settings: {},
  shown: [],
  choose: () => undefined,
}));

vi.mock('node:fs/promises', async (original) => {
  const actual: Record<string, unknown> = await original();
  const recorded = Object.entries(actual).map(([name, value]) => [
    name,
    typeof value !== 'function'
      ? value
      : (...given: unknown[]): unknown => {
          fake.asked.push(String(given[0]));
          return (value as (...all: unknown[]) => unknown)(...given);
        },
  ]);
  return Object.fromEntries(recorded);
});

vi.mock('vscode', () => ({
  l10n: {
    t: (message: string, ...given: unknown[]) =>
      message.replace(/\{(\d)\}/g, (_, index: string) => String(given[Number(index)])),
  },
  QuickInputButtons: { Back: {} },
  workspace: {
    workspaceFolders: undefined,
    getConfiguration: () => ({ get: (name: string) => fake.settings[name] }),
  },
  window: {
    createQuickPick() {
      let accept: () => void = () => undefined;
      let hide: () => void = () => undefined;
      const pick = {
        items: [] as readonly QuickPickItem[],
        selectedItems: [] as readonly QuickPickItem[],
        onDidAccept: (listener: () => void) => (accept = listener),
        onDidHide: (listener: () => void) => (hide = listener),
        onDidTriggerButton: () => undefined,
        dispose: () => undefined,
        show() {
          fake.shown = [...pick.items];
          const chosen = fake.choose(pick.items);
          pick.selectedItems = chosen ? [chosen] : [];
          if (chosen) accept();
          else hide();
        },
      };
      return pick;
    },
  },
}));

function makeMemento(): Memento {
  const values = new Map<string, unknown>();
  return {
    keys: () => [...values.keys()],
    get: (key: string, otherwise?: unknown) => values.get(key) ?? otherwise,
    update: async (key: string, value: unknown) => void values.set(key, value),
  } as Memento;
}

let memory: ChoiceMemory;
let folder: string;

beforeEach(() => {
  fake.asked.length = 0;
  fake.settings = {};
  fake.choose = () => undefined;
  memory = new ChoiceMemory(makeMemento());
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quantscope-texts-'));
  onTestFinished(() => fs.rmSync(folder, { recursive: true }));
});

function ask() {
  const host = { assets: { path: () => path.join(folder, 'sample.txt') } } as unknown as Host;
  return pickText(
    { host, folder, memory, purpose: 'perplexity' },
    { title: '', step: 1, totalSteps: 2 },
  );
}

const askedElsewhere = () => fake.asked.filter((file) => file.includes('evil.example'));

it('proposes the text of a setting and those chosen once without looking at them', async () => {
  fake.settings['perplexityText'] = OTHER_MACHINE;
  await memory.rememberRecentText(CHOSEN_ONCE);
  expect(await ask()).toBeUndefined();
  const details = fake.shown.map(({ detail }) => detail);
  expect(details).toContain(`${OTHER_MACHINE} (setting quantscope.perplexityText)`);
  expect(details).toContain(CHOSEN_ONCE);
  expect(fake.asked.length).toBeGreaterThan(0);
  expect(askedElsewhere()).toEqual([]);
});

it('looks at none of them when another is chosen', async () => {
  fake.settings['perplexityText'] = OTHER_MACHINE;
  await memory.rememberRecentText(CHOSEN_ONCE);
  fake.choose = (items) => items.find(({ label }) => label.startsWith('Sample text'));
  expect(await ask()).toEqual({ file: path.join(folder, 'sample.txt') });
  expect(askedElsewhere()).toEqual([]);
});

it('gives the file of the setting where the user chooses it', async () => {
  fake.settings['perplexityText'] = OTHER_MACHINE;
  fake.choose = (items) => items.find(({ detail }) => detail?.includes('(setting'));
  expect(await ask()).toEqual({ file: OTHER_MACHINE });
});

it('proposes what has gone no more, once it was chosen in vain', async () => {
  const [gone, there] = ['gone.txt', 'there.txt'].map((name) => path.join(folder, name));
  fs.writeFileSync(there, 'text');
  for (const file of [gone, there]) await memory.rememberRecentText(file);
  for (const file of [gone, there]) {
    fake.choose = (items) => items.find(({ detail }) => detail === file);
    expect(await ask()).toEqual({ file });
  }
  expect(memory.recentTexts).toEqual([there]);
});

it('shows a path as text, whatever it holds', async () => {
  fake.settings['perplexityText'] = '/models/a\u202etxt.exe\nb';
  await ask();
  const { label, detail } = fake.shown[0];
  expect(label).toBe('a\\u{202e}txt.exe\\u{a}b');
  expect(detail).toContain(label);
});

it('ticks no format that a setting names and that there is not', () => {
  fake.settings['formats'] = ['<img src=x>', '__proto__', 'constructor', 'int4-asym', 7, 'nf4:g64'];
  expect(memory.formats).toEqual(['int4-asym', 'nf4']);
});
