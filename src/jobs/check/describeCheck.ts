import type { OpenedModel } from '../../checkpoint/types.js';
import type { CheckReport, Finding, Severity } from '../../reports/checkReport.js';
import { shorten } from '../../storage/shorten.js';
import { CHECKS } from './checks/index.js';

/** Characters of a message or a shown name that a page gets. */
const MAX_SHOWN = 600;

/** A longer name is shown, but not sent whole: no tensor of a model that is meant has one. */
const MAX_NAME = 4096;

const ORDER: readonly Severity[] = ['error', 'warning', 'info'];

/**
 * What a check of a model has found, as the editor shows it.
 * @param findings those of `checkModel`
 */
export function describeCheck(model: OpenedModel, findings: readonly Finding[]): CheckReport {
  const owners = ownersOf(model, findings);
  const shown = findings.map(({ tensor, file, message, ...finding }) => {
    const listedAs = tensor === undefined ? undefined : owners.get(tensor);
    return {
      ...finding,
      file: shorten(file, MAX_SHOWN),
      message: shorten(message, MAX_SHOWN),
      ...(tensor !== undefined && { tensor: shorten(tensor, MAX_SHOWN) }),
      ...(listedAs !== undefined && listedAs.length <= MAX_NAME && { listedAs }),
    };
  });
  return {
    findings: ORDER.flatMap((severity) => shown.filter((finding) => finding.severity === severity)),
    checked: {
      files: model.files.length,
      tensors: model.tensors.length,
      elements: model.tensors.reduce((sum, { elements }) => sum + elements, 0),
      bytes: model.tensors.reduce((sum, { bytes }) => sum + bytes, 0),
      checks: CHECKS.length,
    },
  };
}

/** Of each tensor that was found fault with, the tensor of the model that it is or is a part of. */
function ownersOf({ tensors }: OpenedModel, findings: readonly Finding[]): Map<string, string> {
  const wanted = new Set(findings.map(({ tensor }) => tensor));
  const owners = new Map<string, string>();
  for (const { name, storage } of tensors) {
    for (const part of storage?.parts ?? []) if (wanted.has(part.name)) owners.set(part.name, name);
  }
  // A weight may have the name of one of its parts; then it is the weight that is meant.
  for (const { name } of tensors) if (wanted.has(name)) owners.set(name, name);
  return owners;
}
