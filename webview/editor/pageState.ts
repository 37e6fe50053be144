import type { DetailsView } from './tensorDetails.js';
import { DEFAULT_VIEW } from './tensorDetails.js';
import type { TreeItem } from './treeModel.js';

/** What the page is rebuilt from after VS Code destroyed it. */
export interface PageState {
  readonly selected?: TreeItem;
  readonly expanded: readonly string[];
  readonly filter: string;
  /** Of the list, in CSS pixels. */
  readonly scroll: number;
  /** The list's share of the page in per cent, beside the details and above them. */
  readonly split: number;
  readonly stackedSplit: number;
  readonly headerExpanded: boolean;
  readonly view: DetailsView;
}

export const INITIAL_STATE: PageState = {
  expanded: [],
  filter: '',
  scroll: 0,
  split: 38,
  stackedSplit: 36,
  headerExpanded: false,
  view: DEFAULT_VIEW,
};
