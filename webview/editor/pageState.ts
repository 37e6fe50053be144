import type { DetailsView } from './tensorDetails.js';
import { DEFAULT_VIEW } from './tensorDetails.js';
import type { TreeItem, TreeModel } from './treeModel.js';

/** A tensor up to this many bytes is shown unasked when a file is opened. */
const AUTO_SELECT_BYTES = 64 * 1024 * 1024;

/** What the page is rebuilt from after VS Code destroyed it. */
export interface PageState {
  readonly selected?: TreeItem;
  /** Names of layers, and of weights that show their parts. */
  readonly expanded: readonly string[];
  readonly filter: string;
  /** Of the list, in CSS pixels. */
  readonly scroll: number;
  /** The list's share of the page in per cent, beside the details and above them. */
  readonly split: number;
  readonly stackedSplit: number;
  readonly headerExpanded: boolean;
  /** Whether the check of the files is shown, where there is one. */
  readonly integrityShown: boolean;
  readonly view: DetailsView;
}

export const INITIAL_STATE: PageState = {
  expanded: [],
  filter: '',
  scroll: 0,
  split: 38,
  stackedSplit: 36,
  headerExpanded: false,
  integrityShown: false,
  view: DEFAULT_VIEW,
};

/** On first sight: the first layer open, and its first weight that is quickly read shown. */
export function firstSight({ layers }: TreeModel): Partial<PageState> {
  const [layer] = layers.values();
  const tensor = (layer?.tensors ?? []).find(
    ({ quantizedByDefault, bytes }) => quantizedByDefault && bytes <= AUTO_SELECT_BYTES,
  );
  return {
    expanded: layer ? [layer.name] : [],
    ...(tensor && { selected: { kind: 'tensor', name: tensor.name } }),
  };
}
