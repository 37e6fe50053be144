// Writes l10n/bundle.l10n.json, from which translations are made: node scripts/writeL10n.mjs
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { makeBundle } from './lib/l10nStrings.mjs';

const at = (/** @type {string} */ path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
writeFileSync(at('l10n/bundle.l10n.json'), makeBundle(at('src')));
