import * as fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { makeBundle } from '../../../scripts/lib/l10nStrings.mjs';

const read = (file: string) =>
  JSON.parse(fs.readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8'));

/** Settings that choose among what the reader of a page is shown anyway. */
const HARMLESS = ['quantscope.formats', 'quantscope.groupSize', 'quantscope.scaleDtype'];

it('lets an untrusted workspace set nothing but how weights are shown', () => {
  const { capabilities, contributes } = read('package.json');
  const { supported, description, restrictedConfigurations } = capabilities.untrustedWorkspaces;
  expect(supported).toBe('limited');
  expect(read('package.nls.json')).toHaveProperty([description.replaceAll('%', '')]);
  // A new setting is on one side or the other by decision.
  const settings = Object.keys(contributes.configuration.properties);
  expect(new Set([...restrictedConfigurations, ...HARMLESS])).toEqual(new Set(settings));
});

it('opens the model of `npm start` in untrusted folders, too', () => {
  const { capabilities } = read('scripts/opener/package.json');
  expect(capabilities.untrustedWorkspaces.supported).toBe(true);
});

it('has every string that it shows in the bundle for translators', () => {
  const file = new URL('../../../l10n/bundle.l10n.json', import.meta.url);
  const source = fileURLToPath(new URL('../../../src', import.meta.url));
  // `npm run l10n` writes it anew.
  expect(fs.readFileSync(file, 'utf8')).toBe(makeBundle(source));
  expect(read('package.json').l10n).toBe('./l10n');
});
