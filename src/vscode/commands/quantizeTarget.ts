import * as vscode from 'vscode';
import type { ModelTensor, OpenedModel } from '../../checkpoint/types.js';
import { selectInLayer } from '../../jobs/selection.js';
import { visible } from '../../storage/errors.js';
import type { SafetensorsEditorProvider } from '../editor/safetensorsEditorProvider.js';

/** What a command is to work on, as far as its argument says. */
export interface QuantizeTarget {
  readonly resource: vscode.Uri;
  /** Exact names; the default selection of the whole model where absent. */
  readonly tensors?: readonly string[];
  /** All tensors of this layer that quantizers touch. */
  readonly layer?: string;
  /** How to call the selection: "layers.3". */
  readonly label?: string;
  /** Given by callers who want no questions asked. */
  readonly formats?: readonly string[];
  /** The panel whose formats are to become more. */
  readonly comparison?: string;
}

/** Tensors to quantize, and how to call them. */
export interface Selection {
  readonly tensors: readonly ModelTensor[];
  /** "layers.3", "all linear weights". */
  readonly scope: string;
  /** True where it is the model's default selection. */
  readonly whole: boolean;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function texts(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.length > 0 && value.every(isText) ? value : undefined;
}

function uriOf(value: unknown): vscode.Uri | undefined {
  if (value instanceof vscode.Uri) return value;
  if (!isText(value) || value === '') return undefined;
  return /^[a-z][a-z0-9+.-]+:/i.test(value)
    ? vscode.Uri.parse(value, true)
    : vscode.Uri.file(value);
}

/**
 * Reads the argument of a command: nothing (the active editor), a file from the explorer, the
 * context of a row in an editor's page, or an object that names everything.
 * @throws Error when there is nothing to work on
 */
export function readTarget(argument: unknown, editors: SafetensorsEditorProvider): QuantizeTarget {
  const fields: Record<string, unknown> =
    typeof argument === 'object' && argument !== null && !(argument instanceof vscode.Uri)
      ? { ...argument }
      : {};
  const resource = uriOf(argument) ?? uriOf(fields['resource']) ?? editors.activeDocument()?.uri;
  if (!resource) throw new Error(vscode.l10n.t('Open a .safetensors file first.'));
  const { tensor, layer, label, comparison } = fields;
  return {
    resource,
    tensors: texts(fields['tensors']) ?? (isText(tensor) ? [tensor] : undefined),
    layer: isText(layer) ? layer : undefined,
    label: isText(label) && label !== '' ? label : undefined,
    formats: texts(fields['formats']),
    comparison: isText(comparison) ? comparison : undefined,
  };
}

function fileName({ fileSystem, path }: OpenedModel): string {
  return fileSystem.split(path).name;
}

function named(model: OpenedModel, names: readonly string[]): ModelTensor[] {
  const wanted = new Set(names);
  const found = model.tensors.filter(({ name }) => wanted.delete(name));
  const [missing] = wanted;
  if (missing !== undefined) {
    throw new Error(vscode.l10n.t('{0} has no tensor "{1}".', fileName(model), missing));
  }
  return found;
}

function candidates(model: OpenedModel, { tensors, layer }: QuantizeTarget): ModelTensor[] {
  if (tensors) return named(model, tensors);
  if (layer === undefined) {
    const byDefault = model.tensors.filter((tensor) => tensor.quantizedByDefault);
    // Where there are none, a part of a weight that cannot be decoded says why.
    return byDefault.length > 0 ? byDefault : model.tensors.filter(({ partOf }) => partOf);
  }
  const inLayer = model.tensors.filter((tensor) => tensor.layer === layer);
  const chosen = selectInLayer(inLayer);
  // Where none can be quantized, the first of them says why.
  return chosen.length > 0 ? chosen : inLayer;
}

/**
 * The tensors a target means.
 * @throws Error saying why when none of them can be quantized
 */
export function selectTensors(model: OpenedModel, target: QuantizeTarget): Selection {
  const found = candidates(model, target);
  const tensors = found.filter(({ notQuantizable }) => notQuantizable === undefined);
  if (tensors.length === 0) {
    const reason = found[0]?.notQuantizable;
    throw new Error(
      reason
        ? vscode.l10n.t('{0} cannot be quantized: {1}.', found[0].name, reason)
        : vscode.l10n.t('{0} has no linear weights to quantize.', fileName(model)),
    );
  }
  const whole = !target.tensors && target.layer === undefined;
  return { tensors, scope: visible(scopeText(target, tensors)), whole };
}

function scopeText(
  { label, layer, tensors: names }: QuantizeTarget,
  tensors: readonly ModelTensor[],
) {
  if (label !== undefined) return label;
  if (layer !== undefined) return layer;
  if (!names) return vscode.l10n.t('all linear weights');
  const [{ name, layer: inLayer, nameInLayer }] = tensors;
  return tensors.length === 1
    ? inLayer === ''
      ? name
      : `${inLayer}.${nameInLayer}`
    : vscode.l10n.t('{0} tensors', tensors.length.toLocaleString('en-US'));
}
