import * as fs from 'node:fs';
import { expect, it } from 'vitest';

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
