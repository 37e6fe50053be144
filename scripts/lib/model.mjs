import fs from 'node:fs';
import path from 'node:path';
import { UserError } from './terminal.mjs';

/**
 * @typedef {object} ModelPlace
 * @property {string} path what the user named, absolute: what the command line is given
 * @property {string} folder to open in VS Code
 * @property {string} file to open in its editor: weights, or the index of sharded weights
 * @property {number} bytes of all weights in it
 */

const INDEX = '.safetensors.index.json';
const WEIGHTS = '.safetensors';

/** @param {string} folder */
function modelFileIn(folder) {
  const names = fs.readdirSync(folder).sort();
  const file =
    names.find((name) => name.endsWith(INDEX)) ??
    names.find((name) => name === `model${WEIGHTS}`) ??
    names.find((name) => name.endsWith(WEIGHTS));
  if (!file) throw new UserError(`${folder}: no ${WEIGHTS} file in this folder`);
  return path.join(folder, file);
}

/**
 * Finds the model that the user named: weights, an index, or a folder with either.
 * @param {string} name
 * @returns {ModelPlace}
 */
export function findModel(name) {
  // npm runs scripts in the top folder; the user's is in INIT_CWD.
  const given = path.resolve(process.env.INIT_CWD ?? '.', name);
  const about = fs.statSync(given, { throwIfNoEntry: false });
  if (!about) throw new UserError(`${name}: no such file or folder`);
  const file = about.isDirectory() ? modelFileIn(given) : given;
  if (!file.endsWith(WEIGHTS) && !file.endsWith(INDEX)) {
    throw new UserError(`${name}: neither a ${WEIGHTS} file, a *${INDEX} nor a folder with one`);
  }
  const folder = path.dirname(file);
  const weights = file.endsWith(INDEX)
    ? fs.readdirSync(folder).filter((other) => other.endsWith(WEIGHTS))
    : [path.basename(file)];
  const bytes = weights.reduce((sum, other) => sum + fs.statSync(path.join(folder, other)).size, 0);
  return { path: given, folder, file, bytes };
}
